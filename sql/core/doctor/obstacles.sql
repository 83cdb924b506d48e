-- obstacles: what the check of a migration (core/check_tables) has found; it keeps that in pgreprise.obstacles.
-- A query: it returns one row an obstacle, with the statements that mend it.
select
  listed.problem,
  coalesce(listed.statements, '{}') as statements,
  coalesce(listed.is_right, false) as is_right
from jsonb_to_recordset(current_setting('pgreprise.obstacles')::jsonb)
  as listed (problem text, statements text[], is_right boolean);
