-- What of a stream's part is complete: from when, null for the beginning, and until when, null if it was never read to
-- its end.
alter table stream_state add column reaches_from bigint;
alter table stream_state add column complete_at bigint;
alter table stream_state add column labels bigint not null default 0;  -- 1: it tells of no touches, it labels them
update stream_state set complete_at = updated_at where cursor is not null and resume is null;
