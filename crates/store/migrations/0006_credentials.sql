-- How each source signs in: what it was granted, and its token, sealed. All but the token is readable without the key.
drop table secret;

create table credential (
    source text not null primary key,     -- the stable id of `[[source]]`
    origin text not null,                 -- of the configured grant that this follows, a hash
    sealed {bytes},                       -- the refresh token: XChaCha20-Poly1305, nonce first, bound to the source
    scopes text not null,                 -- as granted, a space between two
    access_until bigint,                  -- µs UTC: when the access token dies
    until bigint,                         -- µs UTC: when the refresh token dies, where that is known
    refused text                          -- why the vendor renews no more: only a person can mend it
);

-- Who renews a source's sign-in just now: a refresh token may be worth nothing once it was used.
create table credential_turn (
    source text not null primary key,
    holder text not null,
    until bigint not null                 -- µs UTC: then others take the turn
);
