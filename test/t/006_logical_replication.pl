# A ledger is replicated to a subscriber row by row.  Its triggers do not run there
# (plain ENABLE triggers do not, when replicated rows are applied), and need not:
# what they would have written is replicated, too.  At every moment the copy is a
# state that was committed, so check_ledger finds nothing there.  When the
# subscriber takes over, only its sequences are behind, and rebuild_ledger sets them.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Load;

my $publisher = start_node('publisher', 'wal_level = logical', 'deadlock_timeout = 100ms');
my $subscriber = start_node('subscriber', 'wal_level = logical');
my @tables = qw(ledger location item order_line stock_move inbound priority_rule stock_slot backorder journal);

my $load = Load->new(node => $publisher, seed => 5, sessions => 4);
sql($publisher, $load->prepare);
sql($publisher, q{
	INSERT INTO shop.inbound (item, quantity, expected_at) VALUES ('item 1', 5, '2030-01-01');
	INSERT INTO shop.order_line (order_id, line_no, item, quantity) SELECT 'old', i, 'item ' || 1 + i % 12, 3 FROM generate_series(1, 60) AS i;
});

# The tables come from a dump of the schema: create_ledger() would put rows of its own into them.
my ($schema) = run_command([ 'pg_dump', '--schema-only', '-n', 'shop', '-d', $publisher->connstr('store') ]);
$subscriber->safe_psql('store', $schema);
$publisher->safe_psql('store', 'CREATE PUBLICATION shop FOR TABLES IN SCHEMA shop');
my $connection = $publisher->connstr('store') =~ s/'/''/gr;

# The first copy is made while orders come in.
$load->start;
sleep 0.5;
$subscriber->safe_psql('store', "CREATE SUBSCRIPTION shop CONNECTION '$connection' PUBLICATION shop");
$subscriber->wait_for_subscription_sync($publisher, 'shop', 'store') if $subscriber->can('wait_for_subscription_sync');
$subscriber->poll_query_until('store', q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'});

my ($checks, @found) = 0;
my $end = time + 2;
while (time < $end)
{
	my $check = sql($subscriber, "SELECT * FROM backorder.check_ledger('shop')");
	push @found, $check if $check ne '';
	$checks++;
}
is($found[0] // '', '', "check_ledger was empty $checks times while changes arrived");
$load->stop;
my @wrong = $load->disagreements;
is("@wrong", '', 'the publisher has what it acknowledged');
note $load->report;
caught_up();

is(rows($subscriber, $_), rows($publisher, $_), "$_ is an exact copy") foreach @tables;
no_disagreement($publisher, 'shop', 'check_ledger finds nothing at the publisher');
no_disagreement($subscriber, 'shop', 'nor at the subscriber');
is(sql($subscriber, 'SELECT healthy_triggers FROM backorder.ledger'), 't', 'its triggers are there');
my $figures = 'SELECT shop.fill_rate(), shop.order_fill_rate(), shop.backorder_fill_rate()';
is(sql($subscriber, $figures), sql($publisher, $figures), 'figures agree');
my $status = 'SELECT order_id, line_no, allocated, backordered, state FROM shop.order_line_status ORDER BY 1, 2';
is(sql($subscriber, $status), sql($publisher, $status), 'so does the state of every line');

# Damage at the subscriber is still found there.
$subscriber->safe_psql('store', q{SET session_replication_role = replica;
	UPDATE shop.stock_slot SET available = available + 1 WHERE item = 'item 3' AND slot = (SELECT min(slot) FROM shop.stock_slot WHERE item = 'item 3')});
like(sql($subscriber, "SELECT * FROM backorder.check_ledger('shop')"), qr/on hand/, 'damage at the subscriber is found');
$subscriber->safe_psql('store', q{SET session_replication_role = replica;
	UPDATE shop.stock_slot SET available = available - 1 WHERE item = 'item 3' AND slot = (SELECT min(slot) FROM shop.stock_slot WHERE item = 'item 3')});

# The subscriber takes over.
$subscriber->safe_psql('store', 'DROP SUBSCRIPTION shop');
like(sql($subscriber, "SELECT * FROM backorder.check_ledger('shop')"), qr/^sequence\|.*\nsequence\|/,
	'without the subscription check_ledger says that sequences are behind');
unlike(sql($subscriber, "SELECT * FROM backorder.check_ledger('shop')"), qr/^(?!sequence)./m, 'and nothing else');
sql($subscriber, "SELECT backorder.rebuild_ledger('shop')");
no_disagreement($subscriber, 'shop', 'after rebuild_ledger it finds nothing');
is(rows($subscriber, $_), rows($publisher, $_), "$_ is still an exact copy") foreach grep { $_ ne 'stock_slot' } @tables;
my $balance = 'SELECT item, location, sum(available), sum(allocated) FROM shop.stock_slot GROUP BY 1, 2 ORDER BY 1, 2';
is(sql($subscriber, $balance), sql($publisher, $balance), 'and so are the balances');

$load->{node} = $subscriber;
$load->start;
sleep 1;
$load->stop;
@wrong = $load->disagreements;
is("@wrong", '', 'orders and deliveries go on at the subscriber');
no_disagreement($subscriber, 'shop', 'and check_ledger finds nothing');

$_->stop foreach $subscriber, $publisher;
done_testing();

sub caught_up
{
	$publisher->wait_for_catchup('shop');
	return;
}

sub rows
{
	my ($node, $table) = @_;
	return $node->safe_psql('store', "SET timezone = 'UTC'; COPY (SELECT * FROM shop.$table AS t ORDER BY t::text COLLATE \"C\") TO stdout");
}
