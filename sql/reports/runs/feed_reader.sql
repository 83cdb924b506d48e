-- feed_reader: how far each reader of rerun_feed() is that keeps its position in the database: one row a reader.
-- handled is what the reader has done, as it counts; `pgreprise invalidate` counts the keys that it has deleted.
create table pgreprise.feed_reader (
  reader text,
  feed_position bigint not null,
  handled bigint not null default 0,
  updated_at timestamptz not null default now(),
  constraint feed_reader_pkey primary key (reader),
  constraint feed_reader_position_check check (feed_position >= 0)
);

comment on table pgreprise.feed_reader is 'How far each reader of the feed is that keeps its position here.';
comment on column pgreprise.feed_reader.feed_position is 'the last position of the feed that the reader is done with';
comment on column pgreprise.feed_reader.handled is 'what the reader has done, as it counts';

grant select, insert, update on table pgreprise.feed_reader to pgreprise_owner;
