-- Journeys as the engine reads them, column by column, so that a question reads only what it asks for.
drop table chunk;

create table chunk (
    id {key},
    layer bigint not null,                -- 0 is settled; what a later one says of an account supersedes it
    place bigint not null,                -- in the layer, in the order of the accounts' ids
    entries bigint not null,              -- accounts, and those that are no more
    revision bigint not null              -- of the store when it was written
);

create table chunk_column (
    id {key},                             -- 64 times the chunk, and the column's number
    body {bytes} not null
);

-- All is laid out anew the next time that anything is worked out.
delete from meta where name = 'derived_with';
