-- What ad platforms claim for themselves.
create table claim (
    record bigint not null,
    day_from bigint not null,
    day_until bigint not null,
    channel text,
    campaign text,
    impressions bigint not null,
    clicks bigint not null,
    conversions text not null,            -- a plain decimal
    value_minor bigint,
    currency text
);
create index claim_record on claim (record);
