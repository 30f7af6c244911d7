//! Readable names. Companies have domains under `.example`, which nobody can own.

/// Companies are a root and a trade: 72 × 30 names, before a place is added.
pub(crate) const ROOTS: [&str; 72] = [
    "Alder", "Amber", "Anvil", "Aspen", "Basalt", "Beacon", "Birch", "Bramble", "Brook", "Cedar", "Cinder",
    "Cliff", "Clover", "Cobalt", "Copper", "Coral", "Cypress", "Dawn", "Delta", "Dune", "Elm", "Ember",
    "Falcon", "Fern", "Fjord", "Flint", "Garnet", "Glade", "Granite", "Grove", "Harbor", "Hazel", "Heron",
    "Hollow", "Indigo", "Iris", "Ivory", "Jasper", "Juniper", "Kestrel", "Lagoon", "Larch", "Laurel",
    "Linden", "Lumen", "Maple", "Marble", "Meadow", "Moss", "Nimbus", "Oak", "Onyx", "Opal", "Orchard",
    "Osprey", "Pebble", "Pine", "Poplar", "Quarry", "Quartz", "Raven", "Ridge", "Rowan", "Sable", "Slate",
    "Sorrel", "Spruce", "Summit", "Thistle", "Tundra", "Willow", "Zephyr",
];

/// What a company does, and its industry.
pub(crate) const TRADES: [(&str, &str); 30] = [
    ("Analytics", "software"),
    ("Apparel", "retail"),
    ("Assurance", "insurance"),
    ("Automation", "manufacturing"),
    ("Bank", "finance"),
    ("Bioworks", "healthcare"),
    ("Capital", "finance"),
    ("Clinics", "healthcare"),
    ("Cloud", "software"),
    ("Controls", "manufacturing"),
    ("Diagnostics", "healthcare"),
    ("Energy", "energy"),
    ("Engineering", "manufacturing"),
    ("Foods", "retail"),
    ("Freight", "logistics"),
    ("Grid", "energy"),
    ("Insurance", "insurance"),
    ("Labs", "software"),
    ("Learning", "education"),
    ("Logistics", "logistics"),
    ("Machines", "manufacturing"),
    ("Markets", "retail"),
    ("Media", "media"),
    ("Mobility", "logistics"),
    ("Networks", "telecom"),
    ("Payments", "finance"),
    ("Press", "media"),
    ("Robotics", "manufacturing"),
    ("Software", "software"),
    ("Telecom", "telecom"),
];

/// Added when roots and trades are used up.
pub(crate) const PLACES: [&str; 13] = [
    "", "Nordic", "Iberia", "Baltic", "Pacific", "Atlantic", "Alpine", "Central", "West", "East", "North",
    "South", "Global",
];

pub(crate) const FIRST: [&str; 60] = [
    "Ada", "Aiko", "Amara", "Amir", "Ana", "Anton", "Astrid", "Ben", "Bianca", "Carlos", "Chen", "Clara",
    "Dana", "David", "Elena", "Elif", "Emil", "Erik", "Fatima", "Felix", "Grace", "Hana", "Hugo", "Ines",
    "Ivan", "Jane", "Jonas", "Julia", "Kai", "Kofi", "Lara", "Leo", "Lin", "Lucia", "Marco", "Maria", "Mei",
    "Mila", "Nadia", "Nils", "Noah", "Olga", "Omar", "Paula", "Pedro", "Priya", "Rafael", "Rosa", "Samir",
    "Sara", "Sofia", "Tariq", "Theo", "Uma", "Viktor", "Wei", "Yara", "Yusuf", "Zoe", "Zora",
];

pub(crate) const LAST: [&str; 60] = [
    "Abe", "Adeyemi", "Ahmed", "Almeida", "Andersen", "Bauer", "Becker", "Berg", "Brandt", "Carter",
    "Castro", "Cohen", "Costa", "Dubois", "Duarte", "Eriksen", "Evans", "Fischer", "Fontana", "Garcia",
    "Gruber", "Haas", "Hansen", "Hughes", "Ito", "Jansen", "Kaya", "Keller", "Khan", "Kim", "Kovacs",
    "Kumar", "Larsen", "Lehmann", "Lopez", "Martin", "Mendes", "Meyer", "Moreau", "Nakamura", "Novak",
    "Okafor", "Olsen", "Park", "Patel", "Pereira", "Reyes", "Ricci", "Romero", "Rossi", "Sato", "Schmidt",
    "Silva", "Singh", "Tanaka", "Torres", "Vargas", "Weber", "Wong", "Zhang",
];

/// Title, role in a purchase, seniority; an account's people take them in this order.
pub(crate) const JOBS: [(&str, &str, &str); 14] = [
    ("Director of Revenue Operations", "champion", "director"),
    ("Chief Financial Officer", "economic_buyer", "c_level"),
    ("Marketing Operations Manager", "user", "manager"),
    ("Head of Data", "technical_buyer", "head"),
    ("Sales Operations Analyst", "user", "individual"),
    ("VP Sales", "influencer", "vp"),
    ("Procurement Manager", "procurement", "manager"),
    ("Demand Generation Manager", "user", "manager"),
    ("Chief Marketing Officer", "economic_buyer", "c_level"),
    ("Data Engineer", "technical_buyer", "individual"),
    ("General Counsel", "legal", "head"),
    ("Head of Information Security", "blocker", "head"),
    ("Business Analyst", "user", "individual"),
    ("Chief Revenue Officer", "influencer", "c_level"),
];

pub(crate) const PAGES: [&str; 12] = [
    "/",
    "/pricing",
    "/product",
    "/product/attribution",
    "/integrations",
    "/customers",
    "/customers/finance",
    "/blog/which-half-of-marketing-works",
    "/blog/first-touch-is-not-the-truth",
    "/blog/what-sales-and-marketing-agree-on",
    "/docs/getting-started",
    "/security",
];

pub(crate) const FORMS: [&str; 4] = ["Demo request", "Attribution guide", "Newsletter sign-up", "Contact us"];

pub(crate) const TALKS: [&str; 9] = [
    "Attribution without tears",
    "What your funnel hides",
    "Sales and marketing, one number",
    "Forecasts that hold",
    "Buying committees up close",
    "From clicks to cents",
    "Waking cold accounts",
    "The honest dashboard",
    "Budgets by evidence",
];

pub(crate) const FAIRS: [&str; 6] = [
    "Revenue Summit Berlin",
    "SaaS Days London",
    "Ops Forum New York",
    "Growth Congress Lisbon",
    "RevTech Chicago",
    "Data and Demand Paris",
];

pub(crate) const PARTNERS: [&str; 4] = ["brightpath", "tallgrass-consulting", "kite-partners", "oakline"];

/// Stages on the way to a close.
pub(crate) const STAGES: [&str; 4] = ["Discovery", "Evaluation", "Proposal", "Negotiation"];
