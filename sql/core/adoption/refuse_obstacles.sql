-- refuse_obstacles: stops a migration before it changes anything, and tells all that the checks before it have found.
-- Raises 42501 where only rights are missing, otherwise 55000. The detail is a script: a comment line tells each
-- obstacle, and the statements below it mend it.
do $$
declare
  obstacles constant jsonb := current_setting('pgreprise.obstacles')::jsonb;
  is_right  constant boolean := not exists (
    select from jsonb_array_elements(obstacles) as entry(obstacle)
     where not coalesce((entry.obstacle ->> 'is_right')::boolean, false)
  );
begin
  if jsonb_array_length(obstacles) = 0 then
    return;
  end if;
  raise exception using
    errcode = case when is_right then 'insufficient_privilege' else 'object_not_in_prerequisite_state' end,
    message = format('pgreprise cannot migrate this database as role %s: %s. Nothing was changed.', current_user,
      case jsonb_array_length(obstacles)
        when 1 then '1 obstacle'
        else jsonb_array_length(obstacles) || ' obstacles'
      end),
    detail = (
      with lines as (
        select '-- ' || (entry.obstacle ->> 'problem') as value, entry.position, 0 as part
          from jsonb_array_elements(obstacles) with ordinality as entry(obstacle, position)
        union all
        -- Several obstacles may have one remedy.
        (select distinct on (statement.value) statement.value, entry.position, statement.part
           from jsonb_array_elements(obstacles) with ordinality as entry(obstacle, position)
          cross join lateral jsonb_array_elements_text(coalesce(entry.obstacle -> 'statements', '[]'))
            with ordinality as statement(value, part)
          order by statement.value, entry.position, statement.part)
      )

      select string_agg(lines.value, E'\n' order by lines.position, lines.part) from lines
    ),
    hint = case
      when is_right then 'Let a superuser run the statements in the detail in this database, then migrate again.'
      else 'Look at the statements in the detail, let a superuser run them in this database, then migrate again.'
    end;
end;
$$;
