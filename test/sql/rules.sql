-- Who goes first: priority rules, head starts, when they hold, and changing them.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
\pset null NULL
SELECT backorder.create_ledger('rules', 'UTC');
SET search_path = rules;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, unit_price) VALUES ('a', 10), ('b', NULL), ('c', NULL);
CREATE VIEW ranking AS
	SELECT item, location AS loc, order_id, line_no AS no, priority, CASE WHEN rank_at < '2025-01-01' THEN rank_at END AS rank_at, rules, position FROM open_backorder ORDER BY item, location, position;

-- A condition sees the whole line.  Highest priority of all that match, plus the line's own; head starts add up.
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES
	('big', '$.value >= 1000', 3, '0'),
	('corporate', '$.attributes.segment == "Corporate" && $.quantity > 1', 0, '7 days'),
	('gold', '$.customer == "gold" || $.customer == "platinum"', 5, '1 day'),
	('late', '$.required_by.datetime() < $.placed_at.datetime()', -1, '0'),
	('line', '$.order_id == "10" && $.line_no == 2', 7, '0'),
	('north', '$.location starts with "n" && $.item == "a"', 2, '0'),
	('phone', '$.priority > 0', 0, '1 hour'),
	('preorder', '$.demand_class like_regex "^pre"', 1, '-2 days'),
	('tagged', 'exists($.attributes.tags[*] ? (@ == "rush"))', 4, '0');
INSERT INTO order_line (order_id, line_no, item, location, quantity, customer, attributes, unit_price, required_by, placed_at, priority, demand_class) VALUES
	('1', 1, 'a', 'main', 1, NULL, '{}', NULL, NULL, '2024-01-10', 0, 'regular'),
	('2', 1, 'a', 'main', 2, 'ann', '{"segment": "Corporate"}', NULL, NULL, '2024-01-10', 0, 'regular'),
	('3', 1, 'a', 'main', 2, 'gold', '{"segment": "Corporate"}', NULL, NULL, '2024-01-10', 0, 'regular'),
	('4', 1, 'a', 'main', 100, 'ann', '{}', NULL, NULL, '2024-01-10', 0, 'regular'),
	('5', 1, 'a', 'main', 1, 'platinum', '{}', 1000, NULL, '2024-01-10', 0, 'regular'),
	('6', 1, 'a', 'main', 1, 'ann', '{}', NULL, '2024-01-01', '2024-01-10', 0, 'regular'),
	('7', 1, 'a', 'main', 1, 'ann', '{}', NULL, NULL, '2024-01-10', 9, 'regular'),
	('8', 1, 'a', 'main', 1, 'ann', '{"tags": ["x", "rush"]}', NULL, NULL, '2024-01-10', -4, 'preorder'),
	('9', 1, 'a', 'north', 1, 'ann', '{"tags": "rush"}', NULL, NULL, '2024-01-10', 0, 'regular'),
	('10', 1, 'b', 'main', 1, 'ann', '{}', NULL, NULL, '2024-01-10', 0, 'regular'),
	('10', 2, 'b', 'main', 1, 'ann', '{}', NULL, NULL, '2024-01-10', 0, 'regular');
SELECT * FROM ranking;
-- the journal names the rules, when a line starts to wait and when it is served
SELECT kind, order_id, line_no, priority, rank_at, rules FROM journal WHERE order_id IN ('3', '7') ORDER BY journal_id;
SELECT order_id, quantity FROM receive('a', 4);
SELECT kind, cause, order_id, quantity, priority, rules FROM journal WHERE kind = 'filled' ORDER BY journal_id;
-- a head start passes lines up to so much older, and no others
INSERT INTO order_line (order_id, line_no, item, quantity, attributes, placed_at) VALUES
	('11', 1, 'c', 2, '{"segment": "Corporate"}', '2024-03-10'), ('12', 1, 'c', 2, '{}', '2024-03-02'), ('13', 1, 'c', 2, '{}', '2024-03-04'), ('14', 1, 'c', 2, '{}', '2024-03-03');
-- 11 stands at the 3rd of March like 14, and behind it only by the order of opening
SELECT order_id, no, rank_at, position FROM ranking WHERE item = 'c';
SELECT * FROM backorder.check_ledger('rules');

-- Validity is judged at entry, half-open.
TRUNCATE priority_rule;
SELECT backorder.empty_ledger('rules');
INSERT INTO priority_rule (name, condition, priority, valid_from, valid_to) VALUES
	('january', '$.quantity > 0', 1, '2024-01-01', '2024-02-01'), ('from february', '$.quantity > 0', 2, '2024-02-01', NULL), ('until 2023', '$.quantity > 0', 3, NULL, '2023-01-01');
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at, not_before) VALUES
	('1', 1, 'a', 1, '2022-12-31 23:59:59', NULL), ('2', 1, 'a', 1, '2023-01-01', NULL), ('3', 1, 'a', 1, '2024-01-01', NULL), ('4', 1, 'a', 1, '2024-01-31 23:59:59', NULL),
	('5', 1, 'a', 1, '2024-02-01', NULL), ('6', 1, 'a', 1, '2024-01-31', '2024-02-01');
SELECT order_id, priority, rules FROM ranking;
-- an edit that ranks anew judges by the same time
UPDATE order_line SET customer = 'ann';
SELECT order_id, priority, rules FROM ranking;
-- a raise claims now
UPDATE order_line SET quantity = 2 WHERE order_id = '2';
SELECT order_id, priority, rules FROM ranking WHERE order_id = '2';

-- Changing rules changes nothing that waits, until reprioritize().
UPDATE priority_rule SET priority = 9 WHERE name = 'january';
INSERT INTO priority_rule (name, condition, head_start) VALUES ('bob', '$.customer == "bob"', '400 days');
UPDATE order_line SET customer = 'bob' WHERE order_id = '5';
SELECT order_id, priority, rank_at, rules FROM ranking;
SELECT reprioritize('b'), reprioritize(customer => 'nobody'), reprioritize('gone');
SELECT reprioritize(customer => 'ann');
SELECT reprioritize('a', 'ann');
SELECT order_id, priority, rank_at, rules FROM ranking;
DELETE FROM priority_rule WHERE name IN ('bob', 'january');
SELECT reprioritize('a');
SELECT reprioritize();
SELECT order_id, priority, rank_at, rules FROM ranking;
SELECT kind, cause, order_id, quantity, priority, rank_at, rules FROM journal WHERE kind = 'reranked' AND order_id IN ('4', '5') ORDER BY journal_id;
SELECT order_id, quantity FROM receive('a', 2);
SELECT * FROM backorder.check_ledger('rules');

-- A broken condition is refused when the rule is written, not when an order comes.
\set VERBOSITY terse
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.customer ==');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.customer like_regex "("');
INSERT INTO priority_rule (name, condition) VALUES ('x', '');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.attributes.vip');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.quantity');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.quantity ? (@ > 3)');
INSERT INTO priority_rule (name, condition) VALUES ('x', '1');
INSERT INTO priority_rule (name, condition) VALUES ('x', 'strict $.nothing');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.customer == $who');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.attributes.vip == true && $.customer == $who');
INSERT INTO priority_rule (name, condition) VALUES ('x', NULL);
INSERT INTO priority_rule (name, condition) VALUES ('', '$.quantity > 1');
INSERT INTO priority_rule (name, condition) VALUES ('bob', '$.quantity > 1'), ('bob', '$.quantity > 2');
INSERT INTO priority_rule (name, condition, valid_from, valid_to) VALUES ('x', '$.quantity > 1', '2024-01-01', '2024-01-01');
INSERT INTO priority_rule (name, condition, head_start) VALUES ('x', '$.quantity > 1', '2000 years');
INSERT INTO priority_rule (name, condition) VALUES ('fine', '$.quantity > 1'), ('x', '$.attributes');
UPDATE priority_rule SET condition = '$.customer' WHERE name = 'from february';
\set VERBOSITY sqlstate
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.customer ==');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.customer like_regex "("');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.attributes.vip');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.customer == $who');
INSERT INTO priority_rule (name, condition) VALUES ('x', '$.attributes.vip == true && $.customer == $who');
UPDATE priority_rule SET condition = '$.customer' WHERE name = 'from february';
\set VERBOSITY default
SELECT name, condition FROM priority_rule ORDER BY name;
-- what says nothing about a line does not match it, and does no harm: other types, missing keys, strict mode, dates with and without a zone
INSERT INTO priority_rule (name, condition, priority) VALUES
	('date', '$.attributes.due.datetime() < "2024-06-01T00:00:00+00".datetime()', 1),
	('number', '$.attributes.score > 5', 2),
	('money', '$.attributes.price == "$who"', 4),
	('division', '1 / $.attributes.zero == 1', 8),
	('strict', 'strict $.attributes.a.b == 1', 16),
	('text', '$.attributes.score starts with "x"', 32);
INSERT INTO order_line (order_id, line_no, item, quantity, attributes, placed_at) VALUES
	('20', 1, 'b', 1, '{"due": "2024-05-01"}', '2023-06-01'),
	('20', 2, 'b', 1, '{"due": "2024-05-01T00:00:00", "score": "high"}', '2023-06-01'),
	('20', 3, 'b', 1, '{"due": "2024-05-01T00:00:00+05", "score": 6}', '2023-06-01'),
	('20', 4, 'b', 1, '{"due": "next week", "score": [1, 7], "zero": 0}', '2023-06-01'),
	('20', 5, 'b', 1, '{"due": 7, "price": "$who", "a": 3}', '2023-06-01'),
	('20', 6, 'b', 1, '{"due": null, "score": "xyz", "a": {"b": 1}, "zero": 1}', '2023-06-01'),
	('20', 7, 'b', 1, '{"due": "2024-06-01T00:00:00+05"}', '2023-06-01'),
	('20', 8, 'b', 1, '{"due": "2024-06-01T03:00:00"}', '2023-06-01');
SELECT no, priority, rules FROM ranking WHERE item = 'b' ORDER BY no;
-- the same whatever the session's time zone
SET timezone = 'Asia/Tokyo';
SELECT reprioritize('b');
SET timezone = 'UTC';
SELECT * FROM backorder.check_ledger('rules');

-- What a rule would match
SELECT order_id, line_no FROM preview_rule('$.attributes.score == 6');
SELECT order_id, line_no, priority, position FROM preview_rule('$.item == "a" || $.attributes.due starts with "2024-05"');
SELECT order_id, line_no FROM preview_rule('$.attributes.vip');
SELECT order_id, line_no FROM preview_rule(NULL);
SELECT count(*) FROM priority_rule;
SELECT * FROM backorder.check_ledger('rules');

SET client_min_messages = warning;
DROP SCHEMA rules CASCADE;
