-- Work: who has what in hand, and what is planned.

-- What one process at a time may do: pull a source, or be the daemon of a SQLite file.
create table lease (
    id {key},
    name text not null unique,            -- `source crm`, `daemon`
    owner text not null,                  -- the process that has it; empty: nobody
    fence bigint not null,                -- grows with each taking: who holds an older one writes no more
    held_until bigint not null            -- µs UTC by the database's own clock
);

-- What is planned of a source beside its schedule.
create table agenda (
    source text primary key,              -- the source's id, which may not have been pulled yet
    is_paused bigint not null,            -- 1: not pulled until somebody resumes it
    asked_at bigint,                      -- somebody asked for a run, µs UTC
    not_before bigint,                    -- after failures, or with a used-up quota: µs UTC
    failures bigint not null              -- runs in a row that failed
);

-- Requests sent to a source's vendor, by day of UTC, for its daily quota.
create table request_count (
    source text not null,
    day bigint not null,                  -- days since 1970-01-01
    requests bigint not null,
    primary key (source, day)
);

alter table run add column requests bigint not null default 0;
alter table run add column streams text not null default '[]';   -- JSON: what each stream came to
alter table run add column findings text not null default '[]';  -- JSON: what a person should know

-- How far the span in hand is, where the vendor says: records done and records in all.
alter table stream_state add column done bigint;
alter table stream_state add column total bigint;
alter table stream_state add column tried_at bigint;             -- when the last run began that was to pull it
alter table stream_state add column swept_at bigint;             -- when the last complete walk over its ids began
create index run_source on run (source, id);
