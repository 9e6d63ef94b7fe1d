create table items (
  id text primary key, kind text, seller text, amount text, currency text, was text, weight text,
  ratio real, count integer, fresh integer, made text, seen text, takes text, gtype text,
  grade integer, region text, tags text, extra text, width integer, height integer, note text);
insert into items values
  ('a', 'k', 'Ann "A." O\''Hara' || char(10, 1), '19.90', 'EUR', null, '12345678901234567890.123456789', 0.1, 9007199254740993, 1,
   '2026-01-31', '2026-01-31 09:30:00.123456', '26h30m', 'New', null, 'Europe', '["x", "ü"]', '{"b": [1, 2.50]}', 3, 4, ''),
  ('b', 'k', 'Bo', '1234567890123456789.00', 'JPY', '0.5', '-0.001', 1e300, -1, 0,
   '0001-01-01', '1969-12-31T23:59:59.5Z', '-250ms', 'Used', 3, 'Japan', '[]', null, null, null, null),
  ('c', 'l', 'Çi', '0', 'USD', null, '1.50', -2, 0, 0,
   '9999-12-31', '2200-01-01T00:00:00Z', '0s', 'Refurbished', null, 'NorthAmerica', '["\\", "\""]', 'null', 0, -1, 'n');
analyze;
