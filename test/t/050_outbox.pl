# The journal as an outbox: journal_since() delivers every row once, in the order of
# journal_id, though transactions commit in another order than they take numbers.
# With late commits, rollbacks, savepoints, prepared transactions; on a standby;
# after a restore into a server whose transaction numbers are lower; and with
# many writers at once, read on the primary and on the standby.  And the
# notifications.
#
# BACKORDER_OUTBOX_SECONDS=N is the time that the writers have (5).
use strict;
use warnings;

use BackorderTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{BACKORDER_OUTBOX_SECONDS} // 5;
my $node = start_node('outbox', 'fsync = off', 'wal_receiver_status_interval = 1s', 'autovacuum = off');

sql($node, q{
	SELECT backorder.create_ledger('shop', 'UTC');
	INSERT INTO shop.item (item) SELECT n::text FROM generate_series(1, 20) AS n;
});
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('outbox_standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;

my $order = 0;
sub place { return "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('" . ++$order . "', 1, '1', 1)"; }
sub delivered { my ($where, $after) = @_; return join ' ', split /\n/, sql($where, "SELECT order_id FROM shop.journal_since($after)"); }
sub position { return sql($_[0], 'SELECT coalesce(max(journal_id), 0) FROM shop.journal_since(0, NULL)'); }

# ---- one after the other

sql($node, place());
is(delivered($node, 0), '1', 'what is committed is delivered');
my $position = position($node);

my $slow = session($node);
my $other = session($node);
$slow->query_safe('BEGIN; ' . place());
sql($node, place());
is(delivered($node, $position), '', 'a row stays back while one below it is under way');
is($slow->query_safe("SELECT count(*) FROM shop.journal_since($position)"), '0', 'whoever is writing is not told what it wrote itself');
$node->wait_for_catchup($standby);
is(delivered($standby, $position), '', 'on a standby too');
$slow->query_safe('COMMIT');
is(delivered($node, $position), '2 3', 'both come when the late one has committed, in the order of their numbers');
$node->wait_for_catchup($standby);
is(delivered($standby, $position), '2 3', 'on a standby too');
is(sql($node, "SELECT order_id FROM shop.journal_since($position, 1)"), '2', 'no more than asked for');
$position = position($node);

$slow->query_safe('BEGIN; ' . place());
sql($node, place());
$slow->query_safe('ROLLBACK');
is(delivered($node, $position), '5', 'a gap that a rollback left holds nobody up');
$position = position($node);

# A transaction that takes a number for itself late, after others have drawn theirs.
$slow->query_safe('BEGIN; SAVEPOINT s; ' . place() . '; ROLLBACK TO s');
sql($node, place());
$slow->query_safe('SAVEPOINT s; ' . place());
sql($node, place());
is(delivered($node, $position), '', 'savepoints: all stay back');
$slow->query_safe('COMMIT');
is(delivered($node, $position), '7 8 9', 'savepoints: what was rolled back to is a gap');
$position = position($node);

$other->query_safe('BEGIN; ' . place() . "; PREPARE TRANSACTION 'later'");
sql($node, place());
is(delivered($node, $position), '', 'a prepared transaction is under way');
$node->stop('immediate');
$node->start;
is(delivered($node, $position), '', 'after a crash as well');
sql($node, "COMMIT PREPARED 'later'");
is(delivered($node, $position), '10 11', 'until it ends');
$position = position($node);
$slow->quit;
$other->quit;

# A writing transaction that never touches the ledger holds readers up, and no more.
$slow = session($node, database => 'postgres', user => 'postgres');
$slow->query_safe('BEGIN; CREATE TABLE something ()');
sql($node, place());
is(delivered($node, $position), '12', 'one that began before is below the horizon: it cannot have drawn a number')
  if sql($node, "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= horizon FROM shop.journal WHERE order_id = '12'") eq 't';
is(delivered($node, $position), '', 'another transaction that writes elsewhere may hold rows up');
$slow->query_safe('ROLLBACK');
is(delivered($node, $position), '12', 'until it ends');
$slow->quit;

is(sql($node, "SELECT count(*) FROM shop.journal_since(NULL, NULL)"), sql($node, 'SELECT count(*) FROM shop.journal'), 'NULL is from the beginning, without limit');
like(sql_error($node, 'SELECT shop.journal_since(0, -1)'), qr/2201W/, 'no negative number of rows');
sql($node, "ALTER TABLE shop.journal ADD COLUMN told boolean DEFAULT true");
is(sql($node, "SELECT told FROM shop.journal_since(0, 1)"), 't', "users' columns are delivered");

# ---- a standby that does not know yet of a transaction below the horizon

# The late one has a number, and no write-ahead log; what is committed beside it
# has a horizon above a number that the standby has not heard of.
$position = position($node);
$node->wait_for_catchup($standby);
{
	my $late = session($node);
	$late->query_safe('BEGIN; SELECT pg_current_xact_id()');
	my $early = session($node);
	$early->query_safe('BEGIN; ' . place());
	$late->query_safe('COMMIT; BEGIN; SELECT pg_current_xact_id()');
	$early->query_safe(place());
	$early->query_safe('COMMIT');
	$node->wait_for_catchup($standby);
	is(delivered($standby, $position), $order - 1, 'a standby waits for a transaction it may not know of yet');
	$late->query_safe(place() . '; COMMIT');
	sql($node, 'SELECT pg_log_standby_snapshot()', user => 'postgres') if $node->pg_version >= 16;
	sql($node, place());
	$node->wait_for_catchup($standby);
	is(delivered($standby, $position), join(' ', $order - 3 .. $order), 'and then delivers all');
	$_->quit foreach $late, $early;
}

# ---- many writers, a reader here and a reader there

# Orders of one, two or three statements, some rolled back, some in savepoints, some slow.
my $script = PostgreSQL::Test::Utils::tempdir() . '/writer.sql';
append_to_file($script, <<'END');
\set n random(1, 1000000000000)
\set item random(1, 20)
\set pause random(0, 30)
\set kind random(1, 10)
BEGIN;
INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES (:client_id || '-' || :n, 1, :item::text, 1);
\if :kind > 7
\sleep :pause ms
SAVEPOINT s;
INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES (:client_id || '-' || :n, 2, :item::text, 1);
\if :kind > 8
ROLLBACK TO s;
\endif
\endif
\if :kind > 5
\sleep :pause ms
SELECT count(*) FROM shop.cancel(:client_id || '-' || :n);
\endif
\if :kind = 1
ROLLBACK;
\else
COMMIT;
\endif
END

$position = position($node);
$node->wait_for_catchup($standby);
my $pgbench = IPC::Run::start(
	[ 'pgbench', '-n', '-c', 12, '-j', 2, '-T', $seconds, '-f', $script, '-U', 'merchant', $node->connstr('store') ],
	'>', \my $pgbench_out, '2>', \my $pgbench_err);
my %reader = map { $_->name => { node => $_, session => session($_), position => $position, ids => [], calls => 0 } } $node, $standby;
my $until = time + $seconds;
sub read_on
{
	foreach my $reader (values %reader)
	{
		my @ids = split /\n/, $reader->{session}->query_safe("SELECT journal_id FROM shop.journal_since($reader->{position}, 200)");
		next unless @ids;
		push @{ $reader->{ids} }, @ids;
		$reader->{position} = $ids[-1];
		$reader->{calls}++;
	}
	return;
}
read_on() while time < $until;
$pgbench->finish;
is($pgbench_err =~ s/^.*?(?:vacuum|pgbench \(|starting).*?\n//gmr, '', 'writers had no errors');
$node->wait_for_catchup($standby);
for (1 .. 200)
{
	my $before = join ' ', map { $_->{position} } values %reader;
	read_on();
	last if $before eq join ' ', map { $_->{position} } values %reader;
}
my $all = sql($node, "SELECT string_agg(journal_id::text, ' ' ORDER BY journal_id) FROM shop.journal WHERE journal_id > $position");
foreach my $name (sort keys %reader)
{
	my $got = join ' ', @{ $reader{$name}{ids} };
	ok($got eq $all, "$name: every row once, in order") or diag(length($got) . ' characters instead of ' . length($all));
	cmp_ok($reader{$name}{calls}, '>', 10, "$name: read while others wrote");
	diag(scalar(@{ $reader{$name}{ids} }) . " rows in $reader{$name}{calls} reads on $name");
	$reader{$name}{session}->quit;
}

# What the horizon promises, from the rows themselves.
is(sql($node, q{
	SELECT count(*) FROM (
		SELECT horizon, max(transaction_id::text::bigint) OVER (ORDER BY journal_id ROWS UNBOUNDED PRECEDING) AS above
		FROM shop.journal) AS j
	WHERE horizon::text::bigint <= above}), '0', 'no row was numbered below another by a transaction at or above its horizon');
isnt(sql($node, q{
	SELECT count(*) FROM (
		SELECT transaction_id::text::bigint AS id, lag(transaction_id::text::bigint) OVER (ORDER BY journal_id) AS before FROM shop.journal) AS j
	WHERE id < before}), '0', 'and transactions did draw numbers in another order than they began');
no_disagreement($node, 'shop', 'nothing to complain of');
no_disagreement($standby, 'shop', 'nor on the standby');

# Reading on at the end costs little, however long the journal is.
{
	$position = position($node);
	sql($node, place()) for 1 .. 3;
	my $plan = sql($node, "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM shop.journal_since($position);" x 2);
	my ($blocks) = $plan =~ /.*Buffers: shared hit=(\d+)/s;
	cmp_ok($blocks, '<', 20, 'reading on at the end of a journal of ' . sql($node, 'SELECT count(*) FROM shop.journal') . ' rows: blocks');
}

# ---- a new primary

sql($node, place()) for 1 .. 3;
$node->wait_for_catchup($standby);
$position = position($standby);
$node->stop('immediate');
$standby->promote;
is(delivered($standby, $position), '', 'nothing twice after promotion');
sql($standby, place());
is(delivered($standby, $position), $order, 'and what comes then');

# ---- dump, and restore into a server with lower transaction numbers

{
	my $fresh = start_node('fresh');
	my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
	# numbers that a fresh server has not come to
	my $half = sql($standby, 'SELECT max(journal_id) FROM shop.journal');
	$standby->safe_psql('store', 'DO $$ BEGIN FOR i IN 1 .. 5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
	sql($standby, place()) for 1 .. 3;
	my $rows = sql($standby, 'SELECT string_agg(journal_id::text, $$ $$ ORDER BY journal_id) FROM shop.journal');
	$standby->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $standby->connstr('store') ], 'dump');
	$fresh->safe_psql('postgres', 'CREATE DATABASE copy OWNER merchant');
	$fresh->command_ok([ 'pg_restore', '-d', $fresh->connstr('copy'), $dump ], 'restore');
	is(sql($fresh, "SELECT string_agg(journal_id::text, ' ' ORDER BY journal_id) FROM shop.journal_since(0, NULL)", database => 'copy') eq $rows, 1, 'every row is delivered there');
	is(sql($fresh, "SELECT min(horizon) > backorder.next_transaction_id() FROM shop.journal WHERE journal_id > $half", database => 'copy'), 't', 'though its transactions are far from there');
	$position = sql($fresh, "SELECT max(journal_id) FROM shop.journal", database => 'copy');

	# and what is new comes after it, late commits included
	my $late = session($fresh, database => 'copy');
	$late->query_safe('BEGIN; ' . place());
	sql($fresh, place(), database => 'copy');
	is(sql($fresh, "SELECT count(*) FROM shop.journal_since($position)", database => 'copy'), '0', 'new rows stay back there as well');
	is(sql($fresh, "SELECT count(*) FROM shop.journal_since($position - 1)", database => 'copy'), '1', 'old ones do not');
	$late->query_safe('COMMIT');
	$late->quit;
	is(sql($fresh, "SELECT count(*) FROM shop.journal_since($position)", database => 'copy'), '2', 'and come in the end');
	no_disagreement($fresh, 'shop', 'nothing to complain of', database => 'copy');
	$fresh->stop;
}

# ---- notifications

{
	my $listener = session($standby);
	$listener->query_safe('LISTEN backorder');
	sub heard
	{
		my ($text) = @_;
		sql($standby, $text);
		my ($out) = $listener->query('SELECT 1');
		return join "\n", $out =~ /with payload "(.*)" received/g;
	}
	my $long = 'x' x 9000;
	is(heard(place()), '', 'nobody is notified unless somebody asks for it');
	is(heard('SET backorder.notify = on; ' . place()),
		'{"ledger": "shop", "item": "1", "location": "main", "kinds": ["backordered"]}', 'a short line');
	is(heard(q{SET backorder.notify = on; SELECT shop.receive('20', 100000); INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('in stock', 1, '20', 1)}) =~ s/"filled"/F/r,
		'{"ledger": "shop", "item": "20", "location": "main", "kinds": [F]}', 'a receipt that fills many is one notification, a line in stock is none');
	is(heard(q{SET backorder.notify = on; INSERT INTO shop.order_line (order_id, line_no, item, quantity)
			SELECT 'many', n, CASE WHEN n % 2 = 0 THEN '2' ELSE '3' END, 1 FROM generate_series(1, 100) AS n}),
		qq({"ledger": "shop", "item": "2", "location": "main", "kinds": ["backordered"]}\n{"ledger": "shop", "item": "3", "location": "main", "kinds": ["backordered"]}),
		'one for each item of a statement') or diag('order of items may differ');
	is(heard(q{SET backorder.notify = on; INSERT INTO shop.order_line (order_id, line_no, item, quantity, on_short) VALUES ('lost', 1, '4', 1, 'cancel')}),
		'{"ledger": "shop", "item": "4", "location": "main", "kinds": ["backordered", "cancelled"]}', 'all kinds together');
	is(heard('SET backorder.notify = on; BEGIN; ' . place() . '; ROLLBACK'), '', 'a rollback tells nothing');
	sql($standby, qq{INSERT INTO shop.item (item) VALUES ('a "quoted" \\ item'), ('$long')});
	is(heard(q{SET backorder.notify = on; INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('q', 1, 'a "quoted" \\ item', 1)}),
		'{"ledger": "shop", "item": "a \"quoted\" \\\\ item", "location": "main", "kinds": ["backordered"]}', 'it is JSON');
	is(heard(qq{SET backorder.notify = on; INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('q', 2, '$long', 1)}),
		'{"ledger": "shop", "kinds": ["backordered"]}', 'an item with a name that is too long is not named');
	like(sql_error($standby, 'SET backorder.notify = on; BEGIN; ' . place() . "; PREPARE TRANSACTION 'p'"), qr/0A000/, 'whoever notifies cannot prepare');
	$listener->quit;
}

$standby->stop;
done_testing();
