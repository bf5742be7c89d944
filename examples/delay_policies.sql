-- Two delay policies, as rows of the table delay_policy: the Mail, Internet, or Telephone
-- Order Merchandise Rule of the United States, and article 18 of the Consumer Rights
-- Directive of the European Union.
--
-- They show how such rules are written down. They are no legal advice: read the sources,
-- ask a lawyer, and change them. In particular the conditions (who is a consumer, where),
-- the calendars, and whether to cancel without being asked, are yours to decide.
--
--     psql -d mydb -c 'SET search_path = shop' -f examples/delay_policies.sql

-- 16 CFR 435.2: https://www.ecfr.gov/current/title-16/chapter-I/subchapter-D/part-435
--   (a)(1)       ship within the time stated, or else within 30 days of a completed order
--                (50 days where the buyer applies for credit to pay: a policy of its own)
--   (b)(1)       offer to wait or to cancel before that time is over
--   (b)(1)(ii)   a definite new date, 30 days or less after it: silence is consent
--   (b)(1)(iii)  a later date, or none: express consent within 30 days, else the order is
--                cancelled, unless it was shipped by then
--   (b)(2)       a further delay: express consent before the old date is over
--   (c)          otherwise deem the order cancelled, and refund promptly
--   435.1(b)     a prompt refund is one within 7 working days
INSERT INTO delay_policy (name, jurisdiction, condition, runs_to, allowed_days, stated_date, silence_days, answer_days,
	renewal_needs_consent, auto_cancel, notice_days, refund_days, calendar, source)
VALUES ('FTC 16 CFR 435', 'US', '$.attributes.country == "US"', 'shipment', 30, true, 30, 30,
	true, true, 5, 7, 'US federal', '16 CFR 435.1, 435.2');

-- Federal holidays: https://www.opm.gov/policy-data-oversight/pay-leave/federal-holidays/
INSERT INTO holiday (calendar, day, description) VALUES
	('US federal', '2026-01-01', 'New Year''s Day'),
	('US federal', '2026-01-19', 'Birthday of Martin Luther King, Jr.'),
	('US federal', '2026-02-16', 'Washington''s Birthday'),
	('US federal', '2026-05-25', 'Memorial Day'),
	('US federal', '2026-06-19', 'Juneteenth National Independence Day'),
	('US federal', '2026-07-03', 'Independence Day, observed'),
	('US federal', '2026-09-07', 'Labor Day'),
	('US federal', '2026-10-12', 'Columbus Day'),
	('US federal', '2026-11-11', 'Veterans Day'),
	('US federal', '2026-11-26', 'Thanksgiving Day'),
	('US federal', '2026-12-25', 'Christmas Day');

-- Directive 2011/83/EU, article 18: https://eur-lex.europa.eu/eli/dir/2011/83/oj
--   (1) deliver at the time agreed, or else within 30 days of the contract
--   (2) then the consumer calls for delivery within an additional period, and may
--       terminate when that is over too: record_consent(…, 'additional period', …), and
--       record_consent(…, 'refused') for a consumer who terminates (at once, where the time
--       was essential). Nothing is cancelled unless the consumer says so.
--   (3) reimburse without undue delay: no number of days is given
-- Periods end on a working day: Regulation (EEC, Euratom) No 1182/71, article 3(4).
INSERT INTO delay_policy (name, jurisdiction, condition, runs_to, transit_days, allowed_days, stated_date, working_day_end,
	silence_days, renewal_needs_consent, auto_cancel, notice_days, refund_days, source)
VALUES ('EU 2011/83 art. 18', 'EU', '$.attributes.country == "DE" || $.attributes.country == "FR" || $.attributes.country == "NL"',
	'delivery', 3, 30, true, true, NULL, true, false, 5, NULL, 'Directive 2011/83/EU, article 18');
