select id, status from public.find_reports(max_rows => 100);
