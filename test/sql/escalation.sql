-- Waiting longer than acceptable: longest_wait of items and rules, journalled once, and the priority it gives.
SET SESSION AUTHORIZATION merchant;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\pset null NULL
SELECT backorder.create_ledger('escalation', 'UTC');
SET search_path = escalation;
INSERT INTO item (item, longest_wait, escalation) VALUES ('patient', NULL, 0), ('lamp', '20 days', 0), ('desk', '20 days', 5);
INSERT INTO priority_rule (name, condition, longest_wait, escalation) VALUES
	('hospital', '$.customer == "hospital"', '2 days', 100), ('gold', '$.attributes.tier == "gold"', '10 days', 10), ('silver', '$.attributes.tier == "silver"', NULL, 7);
CREATE VIEW queue AS SELECT backorder_id AS id, order_id, item, remaining, priority, escalated_at, escalation FROM backorder WHERE closed_at IS NULL ORDER BY item, location, backorder.priority DESC, rank_at, backorder_id;
INSERT INTO order_line (order_id, line_no, item, quantity, customer, attributes, placed_at) VALUES
	('1', 1, 'patient', 3, 'ann', '{}', '2026-01-01'),
	('2', 1, 'lamp', 3, 'ann', '{}', '2026-01-01'), ('2', 2, 'lamp', 3, 'ann', '{"tier": "silver"}', '2026-01-15'),
	('3', 1, 'desk', 2, 'ann', '{}', '2026-01-01'), ('3', 2, 'desk', 2, 'bob', '{"tier": "gold"}', '2026-01-02'),
	('3', 3, 'desk', 2, 'hospital', '{}', '2026-01-20'), ('3', 4, 'desk', 2, 'ann', '{}', '2026-01-21');

-- nobody has waited too long yet; then one after the other
CALL run_clocks('2026-01-11');
SELECT * FROM queue;
CALL run_clocks('2026-01-12');
SELECT * FROM queue WHERE escalated_at IS NOT NULL;
CALL run_clocks('2026-01-22 12:00');
SELECT * FROM queue;
SELECT kind, cause, order_id, line_no AS no, quantity, backorder_id AS id, priority, rules, CASE kind WHEN 'escalated' THEN happened_at END AS happened_at FROM journal WHERE kind IN ('escalated', 'reranked') ORDER BY journal_id;
SELECT order_id, line_no AS no, item, customer, remaining, escalated_at, escalation, priority, rules, age_days > 100 AS old FROM escalated ORDER BY backorder_id;
SELECT * FROM backorder.check_ledger('escalation');
-- once, however often; the item's limit of a line that a rule has escalated changes nothing
CALL run_clocks('2026-01-22 12:00');
CALL run_clocks('2026-01-22');
CALL run_clocks('2026-01-23');
SELECT count(*) FROM journal WHERE kind = 'escalated';
-- the queue is served in the new order
SELECT order_id, line_no, quantity FROM receive('desk', 5, moved_at => '2026-01-24');
SELECT order_id, line_no FROM escalated ORDER BY backorder_id;
SELECT event, quantity FROM history WHERE order_id = '3' AND line_no = 3 ORDER BY step;
-- ranking anew keeps what was added; so does a priority of one's own
SELECT reprioritize();
UPDATE order_line SET priority = 3 WHERE order_id = '3' AND line_no = 4;
UPDATE order_line SET priority = 2 WHERE order_id = '3' AND line_no = 1;
SELECT * FROM queue WHERE item = 'desk';
-- as high as there is
UPDATE item SET escalation = 2147483647 WHERE item = 'desk';
CALL run_clocks('2026-03-01');
SELECT * FROM queue WHERE item = 'desk';
SELECT * FROM backorder.check_ledger('escalation');

-- what is taken away again waits with a clock of its own
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'desk', -1, '2026-03-02');
SELECT order_id, cause, priority, escalated_at FROM backorder WHERE item = 'desk' AND closed_at IS NULL ORDER BY backorder_id;
-- a limit that is set later
UPDATE item SET longest_wait = '1 day', escalation = -1 WHERE item = 'patient';
CALL run_clocks('2026-03-03');
SELECT * FROM queue WHERE item = 'patient';
-- check_ledger and rebuild_ledger
UPDATE item SET longest_wait = '1 hour' WHERE item = 'lamp';
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('4', 1, 'lamp', 1, '2026-03-01');
SELECT invariant, order_id, expected, actual FROM backorder.check_ledger('escalation');
SELECT invariant, order_id FROM backorder.check_ledger('escalation', 'desk');
CALL run_clocks('2026-03-03');
SELECT * FROM backorder.check_ledger('escalation');
SET SESSION AUTHORIZATION DEFAULT;
SET session_replication_role = replica;
UPDATE backorder SET escalated_at = '2026-02-02', escalation = 1 WHERE order_id = '2' AND line_no = 1;
UPDATE backorder SET escalated_at = NULL WHERE order_id = '1';
UPDATE backorder SET escalated_at = '2026-02-02' WHERE order_id = '3' AND line_no = 4 AND closed_at IS NULL AND escalated_at IS NULL;
DELETE FROM backorder WHERE order_id = '2' AND line_no = 2;
RESET session_replication_role;
SET SESSION AUTHORIZATION merchant;
SELECT invariant, order_id, line_no, expected, actual FROM backorder.check_ledger('escalation') WHERE invariant = 'escalation';
SELECT backorder.rebuild_ledger('escalation');
SELECT * FROM backorder.check_ledger('escalation');
SELECT * FROM queue WHERE item = 'lamp';

-- rights: whoever may change orders may run the clocks
GRANT SELECT ON ALL TABLES IN SCHEMA escalation TO clerk;
\set VERBOSITY terse
SET SESSION AUTHORIZATION clerk;
CALL run_clocks();
SELECT record_notice('1');
SET SESSION AUTHORIZATION merchant;
INSERT INTO item (item, longest_wait) VALUES ('x', '0');
INSERT INTO priority_rule (name, condition, longest_wait) VALUES ('x', '1 == 1', '-1 day');
GRANT UPDATE ON order_line TO clerk;
SET SESSION AUTHORIZATION clerk;
CALL run_clocks();
SET SESSION AUTHORIZATION merchant;
SELECT as_of <= now() AND as_of > now() - interval '1 minute' FROM clock_run;
SELECT * FROM backorder.check_ledger('escalation');

SET client_min_messages = warning;
DROP SCHEMA escalation CASCADE;
