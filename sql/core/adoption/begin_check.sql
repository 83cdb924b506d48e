-- begin_check: the check of a migration begins: nothing stands in its way yet. The files of core/adoption that check
-- add to the setting pgreprise.obstacles, and refuse_obstacles, which runs last, tells all of them at once.
-- An obstacle has a problem, the statements that mend it, and is_right where only a right is missing.
select pg_catalog.set_config('pgreprise.obstacles', '[]', false);
