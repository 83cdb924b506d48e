-- obstacles: what the checks of a migration have found so far (core/adoption/begin_check): each with its problem, the
-- statements that mend it, and whether only a right is missing.
select
  entry.obstacle ->> 'problem' as problem,
  coalesce((entry.obstacle ->> 'is_right')::boolean, false) as is_right,
  array(
    select statement.value
      from pg_catalog.jsonb_array_elements_text(coalesce(entry.obstacle -> 'statements', '[]')) as statement (value)
  ) as statements
  from pg_catalog.jsonb_array_elements(pg_catalog.current_setting('pgreprise.obstacles')::jsonb) as entry (obstacle);
