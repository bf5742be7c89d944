/* Days on which nobody works, beside weekends. */
CREATE TABLE holiday (
	calendar text COLLATE "C" NOT NULL CONSTRAINT holiday_calendar_not_empty CHECK (calendar <> ''),
	day date NOT NULL,
	description text,
	PRIMARY KEY (calendar, day)
);

/* What the law, or a promise of one's own, says about late orders.  The condition is that of a priority rule. */
CREATE TABLE delay_policy (
	name text PRIMARY KEY CONSTRAINT delay_policy_name_not_empty CHECK (name <> ''),
	jurisdiction text NOT NULL,
	condition jsonpath NOT NULL,
	precedence integer NOT NULL DEFAULT 0,
	valid_from timestamptz,
	valid_to timestamptz,
	runs_to text NOT NULL DEFAULT 'shipment' CONSTRAINT delay_policy_runs_to_known CHECK (runs_to IN ('shipment', 'delivery')),
	transit_days integer NOT NULL DEFAULT 0,
	allowed_days integer NOT NULL,
	stated_date boolean NOT NULL DEFAULT true,
	working_day_end boolean NOT NULL DEFAULT false,
	silence_days integer,
	answer_days integer NOT NULL DEFAULT 0,
	renewal_needs_consent boolean NOT NULL DEFAULT true,
	auto_cancel boolean NOT NULL DEFAULT false,
	notice_days integer NOT NULL DEFAULT 3,
	refund_days integer,
	calendar text COLLATE "C",
	weekend integer[] NOT NULL DEFAULT '{6,7}',
	source text,
	CONSTRAINT delay_policy_valid CHECK (valid_from < valid_to),
	CONSTRAINT delay_policy_days CHECK (
		0 <= least(transit_days, allowed_days, silence_days, answer_days, notice_days, refund_days)
		AND greatest(transit_days, allowed_days, silence_days, answer_days, notice_days, refund_days) <= 3660),
	CONSTRAINT delay_policy_weekend CHECK (weekend <@ '{1,2,3,4,5,6,7}' AND NOT weekend @> '{1,2,3,4,5,6,7}')
);
