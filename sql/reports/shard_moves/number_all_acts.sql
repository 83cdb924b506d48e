-- number_all_acts(): gives every act its position in the feed, as rerun_feed() does, before acts leave this server. The
-- caller keeps writers out.
create or replace function pgreprise.number_all_acts()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  last_position bigint;
begin
  select counter.last_position into last_position from pgreprise.rerun_feed_counter as counter for no key update;
  with numbered as (
    update pgreprise.rerun as act
       set feed_position = own.last_position + numbers.place
      from (
        select waiting.rerun_id, row_number() over (order by waiting.rerun_id) as place
          from pgreprise.rerun as waiting
         where waiting.feed_position is null
      ) as numbers
     where act.rerun_id = numbers.rerun_id
    returning act.feed_position
  )

  update pgreprise.rerun_feed_counter as counter
     set last_position = (select coalesce(max(numbered.feed_position), own.last_position) from numbered);
end;
$$;

comment on function pgreprise.number_all_acts() is 'Gives every act its position in the feed.';
