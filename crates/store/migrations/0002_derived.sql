-- Derived: a pure function of landing and configuration; may be emptied and rebuilt at any time.
-- A cluster is a set of records that share identifiers, directly or through others: the unit of recomputation.

-- The first eight bytes of an identifier's hash, and the one cluster whose records say it.
create table term (id {key}, cluster bigint not null);
create index term_cluster on term (cluster);

-- Readable names (reps, stages, campaigns) that a cluster's records refer to: it depends on them, no more.
create table depends (
    term bigint not null,
    cluster bigint not null,
    primary key (term, cluster)
);
create index depends_cluster on depends (cluster);

create table member (record {key}, cluster bigint not null);
create index member_cluster on member (cluster);

create table account (
    id {key},
    cluster bigint not null,
    hash {bytes} not null unique,
    key text not null,                    -- the source's id
    name text,
    domain text,
    owner text,
    attributes text not null              -- JSON object
);
create index account_cluster on account (cluster);

create table person (
    id {key},
    cluster bigint not null,
    hash {bytes} not null unique,
    key text not null,
    account bigint,                       -- where they belong now
    lead_account bigint,                  -- where they belonged when the CRM first knew them
    name text,
    email text,
    title text,
    role text,
    seniority text,
    created_at bigint,
    is_internal bigint not null
);
create index person_cluster on person (cluster);

create table identifier (
    cluster bigint not null,
    kind text not null,                   -- email | user | crm | anonymous | click
    value text not null,                  -- crm: `source:id`
    person bigint not null,
    reason text not null,                 -- what linked it
    record bigint not null                -- the record that says so
);
create index identifier_cluster on identifier (cluster);
create index identifier_value on identifier (value);

create table deal (
    id {key},
    cluster bigint not null,
    hash {bytes} not null unique,
    key text not null,
    account bigint,
    name text,
    amount_minor bigint,
    currency text,
    created_at bigint,
    closed_at bigint,
    outcome text not null,
    stage text,
    owner text,
    pipeline text,
    attributes text not null,             -- JSON object
    record bigint not null
);
create index deal_cluster on deal (cluster);

create table stage_entry (
    cluster bigint not null,
    deal bigint not null,
    stage text not null,
    entered_at bigint not null
);
create index stage_entry_cluster on stage_entry (cluster);

create table committee (
    cluster bigint not null,
    deal bigint not null,
    person bigint not null,
    role text,
    is_primary bigint not null
);
create index committee_cluster on committee (cluster);

create table touch (
    id {key},
    cluster bigint not null,
    hash {bytes} not null unique,
    occurred_at bigint not null,
    account bigint,
    person bigint,
    kind text not null,
    direction text not null,
    channel text,
    channel_rule text not null,           -- what gave the channel
    campaign text,
    content text,
    team text,
    actor text,
    source text not null,                 -- of the first record of evidence
    weight bigint not null,               -- millionths
    silent text,                          -- machine | internal | weightless: kept, but in no journey
    cost_minor bigint,
    cost_currency text,
    record bigint not null,               -- the first record of evidence
    copies bigint not null                -- how many records tell of it
);
create index touch_cluster on touch (cluster);
create index touch_account on touch (account, occurred_at);

-- The further records that tell of a touch; the first stands in the touch itself.
create table evidence (
    cluster bigint not null,
    touch bigint not null,
    record bigint not null
);
create index evidence_cluster on evidence (cluster);
create index evidence_touch on evidence (touch);

create table finding (
    cluster bigint not null,
    code text not null,
    message text not null
);
create index finding_cluster on finding (cluster);

-- Journeys as the engine reads them: accounts by the first bits of their id.
create table chunk (
    place {key},
    revision bigint not null,             -- of the store when it was written
    accounts bigint not null,
    body {bytes} not null
);

-- What has no account: names, spend and rates.
create table name (
    record bigint not null,
    source text not null,
    kind text not null,                   -- rep | stage | campaign
    id text not null,
    name text not null,
    team text
);
create index name_record on name (record);

create table spend (
    record bigint not null,
    day_from bigint not null,
    day_until bigint not null,
    channel text,
    campaign text,
    amount_minor bigint not null,
    currency text not null
);
create index spend_record on spend (record);

create table rate (
    record bigint not null,
    at bigint not null,
    from_currency text not null,
    to_currency text not null,
    rate text not null
);
create index rate_record on rate (record);
