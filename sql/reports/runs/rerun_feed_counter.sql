-- rerun_feed_counter: the last position that rerun_feed() has given, in one row. rerun_feed() locks it while it gives
-- positions.
create table pgreprise.rerun_feed_counter (
  only_row boolean not null default true,
  last_position bigint not null default 0,
  constraint rerun_feed_counter_pkey primary key (only_row),
  constraint rerun_feed_counter_check check (only_row)
);

comment on table pgreprise.rerun_feed_counter is 'The last position that rerun_feed() has given.';

insert into pgreprise.rerun_feed_counter default values;

grant select, update on table pgreprise.rerun_feed_counter to pgreprise_owner;
