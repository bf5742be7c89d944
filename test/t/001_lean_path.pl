# What an order in stock costs: beyond the user's own row, one heap-only update
# of a slot, and nothing else.  Shown by the counters of the tables, and by the
# write-ahead log record by record.  That the slots of a popular item are found as
# fast while something keeps all their old versions is shown by the pages read.
use strict;
use warnings;

use BackorderTest;
use List::Util qw(min);
use Test::More;

my $node = start_node('lean', 'autovacuum = off', 'full_page_writes = off');

sql($node, q{
	SELECT backorder.create_ledger('shop');
	INSERT INTO shop.item (item) SELECT 'item-' || i FROM generate_series(1, 100) AS i;
	INSERT INTO shop.stock_move (item, quantity) SELECT item, 100000 FROM shop.item;
});

sub superuser { return $node->safe_psql('store', $_[0]); }

# Rows written to the tables of the ledger since the last call, by committed transactions.
my %before;

sub writes
{
	my %now = map { my ($name, @n) = split /\|/; $name => \@n } split /\n/, sql($node, q{
		SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del
		FROM pg_stat_user_tables WHERE schemaname = 'shop' ORDER BY relname});
	my %difference;
	foreach my $name (keys %now)
	{
		my @d = map { $now{$name}[$_] - ($before{$name}[$_] // 0) } 0 .. 3;
		$difference{$name} = {inserted => $d[0], updated => $d[1], hot => $d[2], deleted => $d[3]}
		  if grep { $_ } @d;
	}
	%before = %now;
	return \%difference;
}

# Counters are flushed before they are read.
sub count_writes
{
	my ($text) = @_;
	writes();
	sql($node, "$text; SELECT pg_stat_force_next_flush(); SELECT 1");
	return writes();
}

my $one_order = "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('%s', %s, 'item-%s', 1)";

is_deeply(
	count_writes(sprintf $one_order, 'first', 1, 1),
	{
		order_line => {inserted => 1, updated => 0, hot => 0, deleted => 0},
		stock_slot => {inserted => 0, updated => 1, hot => 1, deleted => 0}
	},
	'one line in stock: its row, and one heap-only update');

is_deeply(
	count_writes(join ";\n", map { sprintf $one_order, 'many', $_, 2 } 1 .. 300),
	{
		order_line => {inserted => 300, updated => 0, hot => 0, deleted => 0},
		stock_slot => {inserted => 0, updated => 300, hot => 300, deleted => 0}
	},
	'300 orders of one item: every update is heap-only');

is_deeply(
	count_writes(q{
		INSERT INTO shop.order_line (order_id, line_no, item, quantity)
		SELECT 'bulk', i, 'item-' || i % 10 + 1, 1 FROM generate_series(1, 1000) AS i}),
	{
		order_line => {inserted => 1000, updated => 0, hot => 0, deleted => 0},
		stock_slot => {inserted => 0, updated => 10, hot => 10, deleted => 0}
	},
	'1,000 lines over 10 items in one statement: one update an item');

is_deeply(
	count_writes(q{
		INSERT INTO shop.order_line_status (order_id, line_no, item, quantity)
		VALUES ('view', 1, 'item-3', 1) RETURNING allocated, backordered}),
	{
		order_line => {inserted => 1, updated => 0, hot => 0, deleted => 0},
		stock_slot => {inserted => 0, updated => 1, hot => 1, deleted => 0}
	},
	'the same through the view that answers at once');

is_deeply(
	count_writes(q{UPDATE shop.order_line SET attributes = '{"gift": true}' WHERE order_id = 'first'}),
	{order_line => {inserted => 0, updated => 1, hot => 1, deleted => 0}},
	'an edit that does not concern the engine writes nothing');

is_deeply(
	count_writes(q{INSERT INTO shop.order_line (order_id, line_no, item, quantity) SELECT 'none', 1, 'item-1', 1 WHERE false}),
	{}, 'an INSERT of nothing writes nothing');

# The same by the log, in a ledger so small that no page needs housekeeping.
sql($node, q{
	SELECT backorder.create_ledger('small');
	INSERT INTO small.item (item) VALUES ('A');
	INSERT INTO small.stock_move (item, quantity) VALUES ('A', 100);
	INSERT INTO small.order_line (order_id, line_no, item, quantity) VALUES ('first', 1, 'A', 1);
});
my $small_order = "INSERT INTO small.order_line (order_id, line_no, item, quantity) VALUES ('small', %s, 'A', 1)";

# EXPLAIN counts the records of the INSERT itself: the row and two index entries.
my $plan = sql($node, 'EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF, SUMMARY OFF) ' . sprintf $small_order, 1);
like($plan, qr/WAL: records=3\b/, 'EXPLAIN (ANALYZE, WAL): the row and two index entries')
  or diag $plan;

SKIP:
{
	my ($missing) = $node->psql('store', 'CREATE EXTENSION pg_walinspect', stderr => \my $ignored);
	skip 'pg_walinspect is not installed', 2 if $missing;

	# All records of transactions between two points: nothing else runs on this server.
	my $records = sub {
		my ($text) = @_;
		my $from = superuser('SELECT pg_current_wal_insert_lsn()');
		sql($node, $text);
		return superuser(qq{
			SELECT string_agg(n || ' ' || record, ', ' ORDER BY record) FROM (
				SELECT count(*) AS n, resource_manager || ' ' || record_type AS record
				FROM pg_get_wal_records_info('$from', pg_current_wal_flush_lsn())
				WHERE resource_manager NOT IN ('Standby', 'XLOG')
				GROUP BY 2) AS r});
	};
	superuser(q{
		CREATE TABLE plain (LIKE small.order_line INCLUDING ALL);
		INSERT INTO plain (order_id, line_no, item, quantity) VALUES ('log', 0, 'A', 1);
		GRANT INSERT ON plain TO merchant});
	is($records->("INSERT INTO plain (order_id, line_no, item, quantity) VALUES ('log', 1, 'A', 1)"),
		'2 Btree INSERT_LEAF, 1 Heap INSERT, 1 Transaction COMMIT', 'log of a plain INSERT into such a table');
	is($records->(sprintf $small_order, 2),
		'2 Btree INSERT_LEAF, 1 Heap HOT_UPDATE, 1 Heap INSERT, 1 Heap LOCK, 1 Transaction COMMIT',
		'log of an order in stock: the lock and the update of the slot are added');
}

# Pages of the slots that one statement of a new session reads; the least of
# three, for a version that comes on a new page is work of another kind.
sub slot_pages
{
	my ($text) = @_;
	my $pages = q{SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
		FROM pg_statio_user_tables WHERE schemaname = 'shop' AND relname = 'stock_slot'};
	my @read;
	foreach (1 .. 3)
	{
		my $before = sql($node, $pages);
		sql($node, "$text; SELECT pg_stat_force_next_flush(); SELECT 1");
		push @read, sql($node, $pages) - $before;
	}
	return min(@read);
}

# an item with one slot, so that all sessions use the same
sql($node, q{
	SET backorder.max_slots = 1;
	INSERT INTO shop.item (item) VALUES ('item-one');
	INSERT INTO shop.stock_move (item, quantity) VALUES ('item-one', 100000)});
my $order = sprintf $one_order, "' || gen_random_uuid() || '", 1, 'one';
my $receipt = "SET backorder.max_slots = 1; INSERT INTO shop.stock_move (item, quantity) VALUES ('item-one', 1)";
my @fresh = map { slot_pages($_) } $order, $receipt;

# What was there when this transaction began is kept until it ends.
sql($node, q{BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'old'});
sql($node, join ";\n", ($order) x 8000);
my $versions = superuser(q{SELECT pg_relation_size('shop.stock_slot') / 8192});
cmp_ok($versions, '>', 80, 'old versions of a slot fill many pages');
my @beside = map { slot_pages($_) } $order, $receipt;
cmp_ok($beside[0], '<=', $fresh[0] + 20, 'an order reads a few of them')
  or diag "$fresh[0] pages before, $beside[0] then";
cmp_ok($beside[1], '<=', $fresh[1] + 20, 'and so does a receipt')
  or diag "$fresh[1] pages before, $beside[1] then";
sql($node, q{ROLLBACK PREPARED 'old'});

no_disagreement($node, 'shop', 'check_ledger finds nothing');

$node->stop;
done_testing();
