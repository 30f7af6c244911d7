-- What runs came to, added up, so that nobody reads a year of them to say how a source stands.
alter table run add column advice text;   -- what a person can do about a failure, in a word

-- All runs of a source that ended so.
create table run_total (
    source bigint not null,
    outcome text not null,
    runs bigint not null,
    fetched bigint not null,
    added bigint not null,
    unchanged bigint not null,
    quarantined bigint not null,
    deleted bigint not null,
    requests bigint not null,
    took bigint not null,                 -- µs
    ended_at bigint not null,             -- the latest of them
    primary key (source, outcome)
);
insert into run_total (source, outcome, runs, fetched, added, unchanged, quarantined, deleted, requests, took,
        ended_at)
    select source, outcome, count(*), sum(fetched), sum(added), sum(unchanged), sum(quarantined), sum(deleted),
        sum(requests), sum(coalesce(ended_at, started_at) - started_at),
        max(coalesce(ended_at, started_at))
    from run where outcome <> 'running' group by source, outcome;

-- New and changed records of a stream by the day of UTC on which the run began.
create table stream_day (
    source bigint not null,
    stream text not null,
    day bigint not null,                  -- since 1970-01-01
    added bigint not null,
    completed bigint not null,            -- runs that read it to its end
    primary key (source, stream, day)
);

alter table request_count add column allowed bigint;  -- that day, where it is known
