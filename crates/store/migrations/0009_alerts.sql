-- What receivers of alerts were told, until it is over.
create table alert (
    receiver text not null,
    source text not null,
    code text not null,
    message text not null,
    since bigint not null,                -- µs UTC
    told_at bigint not null,              -- µs UTC
    primary key (receiver, source, code)
);
