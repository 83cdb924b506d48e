-- router_findings: what is wrong with this router and its servers.
-- Returns one row for each finding.
select
  finding.subject,
  finding.is_problem,
  finding.message,
  finding.remedy
from pgreprise.router_findings() as finding;
