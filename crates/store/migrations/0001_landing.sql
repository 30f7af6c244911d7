-- Landing: every version of every vendor record, as sent. Append-only.
-- {key} is `integer primary key` on SQLite and `bigint primary key` on Postgres; {bytes} is blob or bytea.
-- Ids are given by the writer, so that many rows go into one statement on both databases.

create table source (
    id {key},
    name text not null unique,            -- the stable id of `[[source]]`
    connector text not null,
    settings text not null,               -- non-secret settings as JSON: they outlive the configuration
    normalizer text not null              -- normalizer version and settings hash that the facts were made with
);

-- One compressed page: the bodies of the versions that were new in it, one after another.
create table frame (
    id {key},
    source bigint not null,
    stream text not null,
    observed_at bigint not null,          -- µs UTC
    body {bytes} not null                 -- zstd
);

create table record (
    id {key},
    source bigint not null,
    stream text not null,
    native_id text not null,
    part text not null,                   -- of the stream: where the current version came from
    head bigint not null,                 -- the current version
    unique (source, stream, native_id)
);

create table version (
    id {key},
    record bigint not null,
    stamp bigint,                         -- the vendor's own, µs UTC
    observed_at bigint not null,          -- µs UTC
    hash {bytes} not null,                -- of the body; of nothing for a deletion
    frame bigint,                         -- null: the record was deleted
    start bigint not null,                -- bytes into the unpacked frame
    length bigint not null,
    facts {bytes}                         -- postcard of Vec<Fact>; null: none
);
create index version_record on version (record);

-- Records whose head changed since they were last derived.
create table dirty (record {key});

create table stream_state (
    source bigint not null,
    stream text not null,
    part text not null,
    cursor text,                          -- where the next pull begins
    span text,                            -- the span in hand, if a pull was interrupted
    resume text,                          -- where that span goes on
    started_at bigint,                    -- when the span in hand began, µs UTC
    updated_at bigint not null,
    primary key (source, stream, part)
);

-- Ids seen so far by a span that will delete what it has not seen: one row a page, 16 bytes of hash an id.
create table seen (
    id {key},
    source bigint not null,
    stream text not null,
    part text not null,
    ids {bytes} not null
);
create index seen_part on seen (source, stream, part);

create table quarantine (
    id {key},
    source bigint not null,
    stream text not null,
    part text not null,
    native_id text,                       -- null: the bytes were no record at all
    origin text,                          -- people.csv:17
    fault {bytes} not null unique,        -- hash of source, stream, id or origin, field, reason: the same fault stands once
    field text not null,
    reason text not null,
    body {bytes},                         -- what could not be read; null where landing holds it
    first_seen bigint not null,
    last_seen bigint not null,
    resolved_at bigint
);
create index quarantine_record on quarantine (source, stream, native_id);

create table run (
    id {key},
    source bigint not null,
    started_at bigint not null,
    ended_at bigint,
    outcome text not null,                -- running | ok | failed | interrupted
    message text,
    fetched bigint not null,
    added bigint not null,
    unchanged bigint not null,
    superseded bigint not null,
    quarantined bigint not null,
    deleted bigint not null
);

-- Secrets and OAuth tokens, encrypted: XChaCha20-Poly1305, nonce first, bound to source and name.
create table secret (
    source text not null,
    name text not null,
    sealed {bytes} not null,
    primary key (source, name)
);

create table meta (name text primary key, value text not null);
