-- carbon_role_right: what each role may do, by its name and its kind. What is not a row here is not allowed. A resource
-- is reports (the routes of reports and totals), module_status, or the name of a module. only_own: of the entries only
-- those that carry the caller's own institutional id. Kind unlabelled is a role on a unit as the application wrote it
-- before roles had a kind; a standard user had travel only then. pgreprise.operator is who calls an API without tokens.
create table pgreprise.carbon_role_right (
  role text not null,
  kind text not null,
  resource text not null,
  action text not null,
  only_own boolean not null default false,
  constraint carbon_role_right_pkey primary key (role, kind, resource, action),
  constraint carbon_role_right_kind check (kind in ('global', 'unit', 'own', 'unlabelled')),
  constraint carbon_role_right_action check (action in ('view', 'edit', 'sync'))
);

comment on table pgreprise.carbon_role_right is 'What each role of the carbon domain may do, by its name and kind.';

-- Reports: every role that the application knows, everywhere or on the unit. Roles on an affiliation see none.
insert into pgreprise.carbon_role_right (role, kind, resource, action)
select
  name.role,
  place.kind,
  'reports',
  verb.action
  from unnest(array['calco2.user.standard', 'calco2.user.principal', 'calco2.backoffice.metier',
      'calco2.backoffice.admin']) as name (role)
 cross join unnest(array['global', 'unit', 'own', 'unlabelled']) as place (kind)
 cross join unnest(array['view', 'edit']) as verb (action);

-- The principal of a unit: all its modules, and their status.
insert into pgreprise.carbon_role_right (role, kind, resource, action)
select
  'calco2.user.principal',
  place.kind,
  module_type.name,
  verb.action
  from pgreprise.carbon_module_type as module_type
 cross join unnest(array['unit', 'unlabelled']) as place (kind)
 cross join unnest(array['view', 'edit', 'sync']) as verb (action);

insert into pgreprise.carbon_role_right (role, kind, resource, action)
values
('calco2.user.principal', 'unit', 'module_status', 'edit'),
('calco2.user.principal', 'unlabelled', 'module_status', 'edit');

-- A standard user: two modules, and of the travel only the own.
insert into pgreprise.carbon_role_right (role, kind, resource, action, only_own)
values
('calco2.user.standard', 'own', 'professional_travel', 'view', true),
('calco2.user.standard', 'own', 'professional_travel', 'edit', true),
('calco2.user.standard', 'own', 'external_cloud_and_ai', 'view', false),
('calco2.user.standard', 'own', 'external_cloud_and_ai', 'edit', false),
('calco2.user.standard', 'unlabelled', 'professional_travel', 'view', true),
('calco2.user.standard', 'unlabelled', 'professional_travel', 'edit', true);

-- The operator of an API on this computer, and a member of pgreprise_dba without a token.
insert into pgreprise.carbon_role_right (role, kind, resource, action)
select
  'pgreprise.operator',
  'global',
  module_type.name,
  verb.action
  from pgreprise.carbon_module_type as module_type
 cross join unnest(array['view', 'edit', 'sync']) as verb (action);

insert into pgreprise.carbon_role_right (role, kind, resource, action)
values
('pgreprise.operator', 'global', 'reports', 'view'),
('pgreprise.operator', 'global', 'reports', 'edit'),
('pgreprise.operator', 'global', 'module_status', 'edit');

grant select on table pgreprise.carbon_role_right to pgreprise_owner;
