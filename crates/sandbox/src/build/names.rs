//! Readable names.

pub(crate) const FIRST: &[&str] = &[
    "Ada", "Amir", "Anna", "Ben", "Bianca", "Carlos", "Chen", "Dana", "Elif", "Emil", "Fatima", "Felix",
    "Grace", "Hugo", "Ines", "Ivan", "Jana", "Joao", "Kai", "Lara", "Leo", "Lin", "Maja", "Marco", "Mei",
    "Mila", "Nadia", "Noah", "Olga", "Omar", "Paula", "Priya", "Rafael", "Rosa", "Sami", "Sofia", "Tara",
    "Tom", "Uma", "Viktor", "Wen", "Yara", "Zoe",
];
pub(crate) const LAST: &[&str] = &[
    "Abel", "Berg", "Costa", "Diaz", "Engel", "Fischer", "Garcia", "Haas", "Ito", "Jansen", "Kaya", "Lopez",
    "Meyer", "Novak", "Okafor", "Park", "Quinn", "Rossi", "Silva", "Tan", "Ueda", "Vogel", "Weber", "Xu",
    "Yilmaz", "Zhang",
];
pub(crate) const COMPANY: &[&str] = &[
    "Alder", "Basalt", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper",
    "Kestrel", "Lumen", "Maple", "Nimbus", "Orchid", "Pine", "Quartz", "Raven", "Slate", "Tidal", "Umber",
    "Vertex", "Willow", "Zephyr",
];
pub(crate) const TRADE: &[(&str, &str)] = &[
    ("Bank", "finance"),
    ("Capital", "finance"),
    ("Health", "healthcare"),
    ("Labs", "software"),
    ("Logistics", "logistics"),
    ("Foods", "retail"),
    ("Works", "manufacturing"),
    ("Energy", "energy"),
    ("Media", "media"),
    ("Systems", "software"),
];
pub(crate) const TITLE: &[(&str, &str, &str)] = &[
    ("VP Operations", "champion", "vp"),
    ("CFO", "economic_buyer", "c_level"),
    ("Head of IT", "technical_buyer", "director"),
    ("Operations Analyst", "user", "individual"),
    ("Revenue Manager", "user", "manager"),
    ("General Counsel", "legal", "director"),
    ("CEO", "economic_buyer", "c_level"),
    ("IT Architect", "technical_buyer", "individual"),
];
pub(crate) const SDR: &[&str] = &["Sam Ortiz", "Sina Wolf", "Sol Nguyen"];
pub(crate) const AE: &[&str] = &["Alex Brandt", "Ayo Bello", "Aiko Mori", "Arne Lind"];
pub(crate) const PAGE: &[&str] =
    &["/", "/pricing", "/product", "/blog/attribution-guide", "/customers", "/docs", "/demo"];
