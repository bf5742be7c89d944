/* Who goes first.  The condition is a SQL/JSON path over the order line. */
CREATE TABLE priority_rule (
	name text PRIMARY KEY CONSTRAINT priority_rule_name_not_empty CHECK (name <> ''),
	condition jsonpath NOT NULL,
	priority integer NOT NULL DEFAULT 0,
	head_start interval NOT NULL DEFAULT '0' CONSTRAINT priority_rule_head_start_bounded CHECK (head_start BETWEEN '-1000 years' AND '1000 years'),
	longest_wait interval CONSTRAINT priority_rule_longest_wait_positive CHECK (longest_wait > '0'),
	escalation integer NOT NULL DEFAULT 0,
	valid_from timestamptz,
	valid_to timestamptz,
	CONSTRAINT priority_rule_valid CHECK (valid_from < valid_to)
);
