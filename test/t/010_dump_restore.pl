# A ledger goes through pg_dump and comes back the same: every row, every
# definition, nothing for check_ledger to say, and the next order behaves the
# same.  With it go what users have added to its tables: columns, indexes,
# policies, views and triggers.
use strict;
use warnings;

use BackorderTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('dump');
my $directory = PostgreSQL::Test::Utils::tempdir();
my @tables =
  qw(ledger location item order_line stock_move inbound priority_rule stock_slot backorder journal outbox);

# What users add to the tables of a ledger.
sub add_to_tables
{
	my ($database) = @_;
	sql($node, <<'END', database => $database);
SET search_path = shop;
ALTER TABLE order_line ADD COLUMN channel text NOT NULL DEFAULT 'web';
ALTER TABLE backorder ADD COLUMN told_customer_at timestamptz;
ALTER TABLE stock_move ADD COLUMN bin integer;
CREATE INDEX order_line_channel ON order_line (channel, customer);
CREATE UNIQUE INDEX stock_move_one_bin ON stock_move (bin) WHERE bin IS NOT NULL;
ALTER TABLE order_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_lines ON order_line TO clerk USING (customer = current_user);
GRANT USAGE ON SCHEMA shop TO clerk;
GRANT SELECT ON order_line, order_line_status TO clerk;
CREATE VIEW phone_lines AS SELECT order_id, line_no, quantity FROM order_line WHERE channel = 'phone';
CREATE VIEW phone_status AS
SELECT order_id, line_no, allocated, backordered FROM order_line_status JOIN phone_lines USING (order_id, line_no);
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY, journal_id bigint, kind text);
CREATE FUNCTION to_outbox() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN INSERT INTO shop.outbox (journal_id, kind) VALUES (NEW.journal_id, NEW.kind); RETURN NULL; END';
CREATE TRIGGER to_outbox AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION to_outbox();
END
	return;
}

# A shop with a past.
sub open_shop
{
	sql($node, <<'END');
SELECT backorder.create_ledger('shop', 'Europe/Berlin');
SET search_path = shop;
INSERT INTO location (location) VALUES ('north');
INSERT INTO item (item, unit_price, lead_time, on_short, backorder_limit)
SELECT 'item ' || i, i, '5 days', CASE i % 4 WHEN 3 THEN 'cancel' ELSE 'backorder' END, CASE i WHEN 8 THEN 1000 END
FROM generate_series(1, 8) AS i;
INSERT INTO priority_rule (name, condition, priority, head_start) VALUES
	('gold', '$.attributes.segment == "gold"', 0, '7 days'),
	('large', '$.quantity > 8', 1, '0');
INSERT INTO stock_move (item, location, quantity, moved_at)
SELECT 'item ' || i, l, 30 + i, '2024-01-01' FROM generate_series(1, 8) AS i, unnest('{main,north}'::text[]) AS l;
INSERT INTO order_line (order_id, line_no, item, location, quantity, customer, attributes, placed_at, not_before)
SELECT 'order ' || n / 3, n % 3, 'item ' || 1 + n % 8, CASE WHEN n % 5 = 0 THEN 'north' ELSE 'main' END,
	1 + n * 7 % 10, 'clerk', jsonb_build_object('segment', CASE n % 6 WHEN 0 THEN 'gold' ELSE 'plain' END),
	'2024-01-02'::timestamptz + n * interval '1 hour', CASE WHEN n % 31 = 0 THEN 'infinity'::timestamptz END
FROM generate_series(1, 240) AS n;
INSERT INTO stock_move (item, quantity, moved_at, idempotency_key)
SELECT 'item ' || i, 25, '2024-01-20', 'key ' || i FROM generate_series(1, 8) AS i;
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at)
SELECT 'shipment', order_id, line_no, allocated, '2024-01-21' FROM order_line_status
WHERE allocated > 0 AND order_id LIKE 'order 1%';
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at)
SELECT 'shipment_reversal', order_id, line_no, 1, '2024-01-22' FROM order_line_status
WHERE shipped > 0 AND order_id LIKE 'order 12%';
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'item 2', -5, '2024-01-23');
UPDATE order_line SET cancelled = cancelled + 1, cancel_reason = 'too slow'
WHERE order_id LIKE 'order 2%' AND cancelled + shipped < quantity;
UPDATE order_line SET quantity = quantity + 2 WHERE order_id LIKE 'order 31%';
UPDATE order_line SET not_before = 'infinity' WHERE order_id = 'order 40';
UPDATE order_line SET location = 'north' WHERE order_id = 'order 41';
UPDATE order_line SET priority = 3 WHERE order_id = 'order 50';
INSERT INTO inbound (item, quantity, expected_at) VALUES ('item 1', 40, '2024-03-01');
END
	add_to_tables('store');
	sql($node, <<'END');
SET search_path = shop;
UPDATE order_line SET channel = 'phone' WHERE order_id LIKE 'order 7%';
INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES ('late', 1, 'item 1', 60, '2024-02-01');
END
	return;
}

# All rows of all tables, in an order of their own.
sub rows
{
	my ($database) = @_;
	return join "\n", map {
		"$_:\n" . $node->safe_psql($database, "SET timezone = 'UTC'; COPY (SELECT * FROM shop.$_ AS t ORDER BY t::text COLLATE \"C\") TO stdout")
	} @tables;
}

# All definitions, as pg_dump tells them.  PostgreSQL adds names to the unnamed
# columns of SQL function bodies when it reads them again: those are left out.
sub definitions
{
	my ($database) = @_;
	my ($out) = run_command([ 'pg_dump', '--schema-only', '-d', $node->connstr($database) ]);
	$out =~ s/^\\(un)?restrict .*$//mg;
	$out =~ s{(BEGIN ATOMIC.*?^ *END;)}{$1 =~ s/ AS "?\w+"?(,?)$/$1/mgr}msge;
	return $out;
}

# Two long texts are the same; says where they begin to differ.
sub same
{
	my ($got, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return if ok($got eq $expected, $name);
	my @got = split /\n/, $got;
	my @expected = split /\n/, $expected;
	my $line = 0;
	$line++ while ($got[$line] // '') eq ($expected[$line] // '') && $line < @got;
	diag("line $line");
	diag("expected: $_") foreach grep { defined } @expected[ $line .. $line + 4 ];
	diag("     got: $_") foreach grep { defined } @got[ $line .. $line + 4 ];
	return;
}

# The next order, receipt, shipment and loss, and what the ledger then says,
# clock times and transaction numbers aside.
sub next_day
{
	my ($database) = @_;
	return sql($node, <<'END', database => $database);
SET timezone = 'UTC';
SET search_path = shop;
INSERT INTO order_line (order_id, line_no, item, quantity, attributes, placed_at) VALUES
	('next', 1, 'item 1', 9, '{"segment": "gold"}', '2024-02-10'),
	('next', 2, 'item 2', 70, '{}', '2024-02-10'),
	('next', 3, 'item 4', 500, '{}', '2024-02-10');
INSERT INTO stock_move (item, quantity, moved_at) VALUES ('item 1', 40, '2024-02-11'), ('item 2', 3, '2024-02-11');
INSERT INTO stock_move (kind, order_id, line_no, quantity, moved_at) VALUES ('shipment', 'next', 1, 2, '2024-02-12');
INSERT INTO stock_move (kind, item, quantity, moved_at) VALUES ('adjustment', 'item 1', -4, '2024-02-13');
UPDATE order_line SET cancelled = 1 WHERE order_id = 'late';
SELECT order_id, line_no, quantity, cancelled, shipped, allocated, backordered, state, expected_at
FROM order_line_status ORDER BY order_id COLLATE "C", line_no;
SELECT backorder_id, order_id, line_no, item, location, quantity, remaining, cancelled, cause, claim_at, priority, rank_at, rules,
	opened_at, CASE WHEN closed_at < '2025-01-01' THEN closed_at END, outcome, told_customer_at
FROM backorder ORDER BY backorder_id;
SELECT journal_id, kind, cause, order_id, line_no, item, location, quantity, backorder_id, move_id, priority, rank_at, rules,
	CASE WHEN happened_at < '2025-01-01' THEN happened_at END
FROM journal ORDER BY journal_id;
SELECT item, location, sum(available), sum(allocated) FROM stock_slot GROUP BY item, location ORDER BY item COLLATE "C", location COLLATE "C";
SELECT count(*), max(id) FROM outbox;
END
}

sub psql_file
{
	my ($database, $file) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', $file ],
		"$database: psql restores it");
	return;
}

sub make_database
{
	my ($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER merchant");
	return;
}

open_shop();
no_disagreement($node, 'shop', 'the dumped ledger is right');
my $rows = rows('store');
my $definitions = definitions('store');
my $dump = "$directory/shop";
my @source = ('-d', $node->connstr('store'));

# Everything, in each format.
$node->command_ok([ 'pg_dump', @source, '-f', "$dump.sql" ], 'pg_dump, plain');
$node->command_ok([ 'pg_dump', @source, '-Fc', '-f', "$dump.custom" ], 'pg_dump, custom');
$node->command_ok([ 'pg_dump', @source, '-Ft', '-f', "$dump.tar" ], 'pg_dump, tar');
$node->command_ok([ 'pg_dump', @source, '--rows-per-insert=50', '-f', "$dump.inserts" ], 'pg_dump, INSERT statements');
$node->command_ok([ 'pg_dump', @source, "--section=$_", '-f', "$dump.$_" ], "pg_dump --section=$_")
  foreach qw(pre-data data post-data);
$node->command_ok([ 'pg_dump', @source, '-Fd', '--jobs=2', '-f', "$dump.dir" ], 'pg_dump, directory, two jobs');
$node->command_ok([ 'pg_dump', @source, '-U', 'merchant', '-Fc', '-f', "$dump.merchant" ],
	'pg_dump by the owner, who is no superuser');
$node->command_ok([ 'pg_dump', @source, '-n', 'shop', '-Fc', '-f', "$dump.schema" ], 'pg_dump -n shop');

make_database($_) foreach qw(plain custom directory owned tar inserts sections parts again);
make_store($node, 'ready');
$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', "$dump.sql" ],
	'psql restores it');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('custom'), "$dump.custom" ],
	'pg_restore, custom');
$node->command_ok(
	[ 'pg_restore', '--exit-on-error', '--jobs=2', '-d', $node->connstr('directory'), "$dump.dir" ],
	'pg_restore, directory, two jobs');
$node->command_ok(
	[ 'pg_restore', '--exit-on-error', '-U', 'merchant', '-d', $node->connstr('owned'), "$dump.merchant" ],
	'pg_restore by the owner');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('ready'), "$dump.schema" ],
	'pg_restore of the schema where the extension is there already');

$node->command_ok([ 'pg_restore', '--exit-on-error', '--single-transaction', '-d', $node->connstr('tar'), "$dump.tar" ],
	'pg_restore, tar, in one transaction');
psql_file('inserts', "$dump.inserts");
psql_file('sections', "$dump.$_") foreach qw(pre-data data post-data);
$node->command_ok([ 'pg_restore', '--exit-on-error', "--section=$_", '--jobs=2', '-d', $node->connstr('parts'), "$dump.custom" ],
	"pg_restore --section=$_ --jobs=2") foreach qw(pre-data data post-data);
# over what is there already
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('again'), "$dump.custom" ], 'pg_restore');
sql($node, "SELECT shop.receive('item 5', 3)", database => 'again');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--clean', '--if-exists', '-d', $node->connstr('again'), "$dump.custom" ],
	'pg_restore --clean over another state');

foreach my $database (qw(plain custom directory owned ready tar inserts sections parts again))
{
	same(rows($database), $rows, "$database: every row as it was");
	same(definitions($database), $definitions, "$database: every definition as it was");
	no_disagreement($node, 'shop', "$database: check_ledger finds nothing", database => $database);
}

# The schema alone, where the extension is not there: the rows come, and what
# needs the extension does not.
make_database('bare');
my ($out, $err) = run_command([ 'pg_restore', '-d', $node->connstr('bare'), "$dump.schema" ]);
like($err, qr/schema "backorder" does not exist/, 'bare: what needs the extension is missing');
same(rows('bare'), $rows, 'bare: every row arrived');
sql($node, "CREATE EXTENSION backorder; SELECT backorder.upgrade_ledger('shop')", database => 'bare');
no_disagreement($node, 'shop', 'bare: after upgrade_ledger check_ledger finds nothing', database => 'bare');
same(rows('bare'), $rows, 'bare: every row as it was');

# What users had built on the engine's views was lost with these: it is still in
# the dump.  What exists already is an error of no consequence.
($out, $err) = run_command([ 'pg_restore', '--schema-only', '-d', $node->connstr('bare'), "$dump.schema" ]);
same(definitions('bare'), $definitions, 'bare: every definition as it was, once --schema-only was restored again');
no_disagreement($node, 'shop', 'bare: check_ledger finds nothing', database => 'bare');

# The rows alone, into a ledger just made.  Its own first rows make room, which
# only a superuser can see to, as he alone can restore with --disable-triggers.
$node->command_ok([ 'pg_dump', @source, '-n', 'shop', '--data-only', '--disable-triggers', '-f', "$dump.rows" ],
	'pg_dump --data-only');
make_database('fresh');
sql($node, "CREATE EXTENSION backorder; SELECT backorder.create_ledger('shop')", database => 'fresh');
add_to_tables('fresh');
$node->safe_psql('fresh',
	'SET session_replication_role = replica; DELETE FROM shop.ledger; DELETE FROM shop.location');
$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('fresh'), '-f', "$dump.rows" ],
	'psql restores the rows');
same(rows('fresh'), $rows, 'fresh: every row as it was');
no_disagreement($node, 'shop', 'fresh: check_ledger finds nothing', database => 'fresh');

# The same from an archive, in two jobs.
$node->command_ok([ 'pg_dump', @source, '-n', 'shop', '--data-only', '-Fc', '-f', "$dump.archived" ], 'pg_dump --data-only, custom');
make_database('jobs');
sql($node, "CREATE EXTENSION backorder; SELECT backorder.create_ledger('shop')", database => 'jobs');
add_to_tables('jobs');
$node->safe_psql('jobs', 'SET session_replication_role = replica; DELETE FROM shop.ledger; DELETE FROM shop.location');
$node->command_ok(
	[ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '--jobs=2', '-d', $node->connstr('jobs'), "$dump.archived" ],
	'pg_restore --data-only --disable-triggers --jobs=2');
same(rows('jobs'), $rows, 'jobs: every row as it was');
same(definitions('jobs'), $definitions, 'jobs: every definition as it was, no trigger stays disabled');
no_disagreement($node, 'shop', 'jobs: check_ledger finds nothing', database => 'jobs');

# The next day is the same.
my $next_day = next_day('store');
like($next_day, qr/^next\|2\|.*\|backordered\|/m, 'the next order was taken, and waits');
no_disagreement($node, 'shop', 'the dumped ledger goes on');
foreach my $database (qw(plain directory owned ready inserts sections bare fresh jobs))
{
	same(next_day($database), $next_day, "$database: the next day is the same");
	no_disagreement($node, 'shop', "$database: check_ledger finds nothing after it", database => $database);
}

$node->stop;
done_testing();
