create table items (
  id text primary key, kind text, seller text, amount numeric(40, 2), currency char(3), was numeric, weight numeric,
  ratio double precision, count bigint, fresh boolean, made date, seen timestamptz, takes interval, gtype text,
  grade smallint, region varchar(20), tags jsonb, extra json, width int, height int, note text);
insert into items values
  ('a', 'k', E'Ann "A." O\\''Hara\n\u0001', 19.90, 'EUR', null, 12345678901234567890.123456789, 0.1, 9007199254740993, true,
   '2026-01-31', '2026-01-31 10:30:00.123456+01', '1 day 02:30', 'New', null, 'Europe', '["x", "ü"]', '{"b": [1, 2.50]}', 3, 4, ''),
  ('b', 'k', 'Bo', 1234567890123456789.00, 'JPY', 0.5, -0.001, 1e300, -1, false,
   '0001-01-01', '1969-12-31 23:59:59.5+00', '-00:00:00.25', 'Used', 3, 'Japan', '[]', null, null, null, null),
  ('c', 'l', 'Çi', 0, 'USD', null, 1.50, -2, 0, false,
   '9999-12-31', '2200-01-01 00:00:00+00', '0', 'Refurbished', null, 'NorthAmerica', '["\\", "\""]', 'null', 0, -1, 'n');
analyze items;
