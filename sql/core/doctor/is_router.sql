-- is_router: whether this database is a router of several servers.
select to_regclass('pgreprise.routed') is not null as is_router
