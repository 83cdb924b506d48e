-- is_router: whether this database is a router, whose entry points call those of other servers.
-- Returns one row.
select to_regclass('pgreprise.routed') is not null as is_router;
