# A hot standby reads everything: views, figures, and the proof.  It takes over when
# the primary dies under load.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Load;

my $primary = start_node('primary');

sql($primary, q{
	SELECT backorder.create_ledger('shop', 'UTC');
	SET search_path = shop;
	INSERT INTO item (item, unit_price, lead_time) VALUES ('A', 10, '7 days'), ('B', 20, NULL);
	INSERT INTO priority_rule (name, condition, head_start) VALUES ('gold', '$.attributes.tier == "gold"', '3 days');
	INSERT INTO stock_move (item, quantity, moved_at) VALUES ('A', 10, '2025-03-01'), ('B', 5, '2025-03-01');
	INSERT INTO order_line (order_id, line_no, item, quantity, customer, placed_at, attributes) VALUES
		('1', 1, 'A', 8, 'Anna', '2025-03-02', '{}'), ('1', 2, 'B', 2, 'Anna', '2025-03-02', '{}'),
		('2', 1, 'A', 6, 'Bruno', '2025-03-03', '{}'), ('3', 1, 'A', 4, 'Carla', '2025-03-04', '{"tier": "gold"}');
	INSERT INTO stock_move (item, quantity, moved_at) VALUES ('A', 5, '2025-03-06');
	SELECT ship('1');
	UPDATE order_line SET cancelled = 1 WHERE order_id = '2';
});

$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

# Something that comes by streaming, too.
sql($primary, q{
	INSERT INTO shop.order_line (order_id, line_no, item, quantity, customer, placed_at) VALUES ('4', 1, 'B', 9, 'Dora', '2025-03-07');
	CREATE VIEW shop.figures AS SELECT
		shop.fill_rate('2025-01-01', '2025-04-01') AS fill_rate,
		shop.line_fill_rate('2025-01-01', '2025-04-01') AS line_fill_rate,
		shop.order_fill_rate('2025-01-01', '2025-04-01') AS order_fill_rate,
		shop.backorder_rate('2025-01-01', '2025-04-01') AS backorder_rate,
		shop.backorder_fill_rate('2025-01-01', '2025-04-01') AS backorder_fill_rate,
		shop.backorder_cancellation_rate('2025-01-01', '2025-04-01') AS backorder_cancellation_rate,
		shop.average_backorder_duration('2025-01-01', '2025-04-01') AS average_backorder_duration,
		shop.average_days_on_backorder('2025-01-01', '2025-04-01') AS average_days_on_backorder,
		shop.average_open_age_days('2025-01-01', '2025-04-01') IS NOT NULL AS average_open_age_days;
});
$primary->wait_for_catchup($standby);

my @views = split /\n/, sql($primary, q{
	SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' ORDER BY 1});
cmp_ok(scalar @views, '>=', 12, 'the ledger has its views');
foreach my $view (@views)
{
	my $count = "SELECT count(*) FROM (SELECT * FROM shop.$view OFFSET 0) AS v";
	is(sql($standby, $count), sql($primary, $count), "$view has as many rows on the standby");
}
my $figures = sql($primary, 'SELECT * FROM shop.figures');
is(sql($standby, 'SELECT * FROM shop.figures'), $figures, "figures agree: $figures");
unlike($figures, qr/^\||\|\||\|$/, 'and all of them are there');
my $status = 'SELECT order_id, line_no, allocated, backordered, state FROM shop.order_line_status ORDER BY 1, 2';
is(sql($standby, $status), sql($primary, $status), 'the state of every line agrees');
my $ledgers = 'SELECT * FROM backorder.ledger';
is(sql($standby, $ledgers), sql($primary, $ledgers), 'so does backorder.ledger');
no_disagreement($standby, 'shop', 'check_ledger works on the standby and finds nothing');
like(sql_error($standby, "SELECT backorder.rebuild_ledger('shop')"), qr/25006/, 'rebuild_ledger is refused there');
like(sql_error($standby, "SELECT shop.receive('A', 1)"), qr/25006/, 'and so is a receipt');

# Under load the standby shows committed states, and none of them is wrong.
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$primary->reload;
my $load = Load->new(node => $primary, seed => 3, sessions => 4, two_phase => 1);
sql($primary, $load->items);
$load->start;
my ($checks, @found) = 0;
my $end = time + 2;
while (time < $end)
{
	my $check = sql($standby, "SELECT * FROM backorder.check_ledger('shop')");
	push @found, $check if $check ne '';
	$checks++;
}
is($found[0] // '', '', "check_ledger was empty on the standby $checks times under load");

# The primary dies in the middle of it, and the standby takes over: it is synchronous.
$primary->stop('immediate');
$load->finish;
$standby->promote;
my @wrong = $load->disagreements($standby);
is("@wrong", '', 'nothing that was acknowledged is lost');
no_disagreement($standby, 'shop', 'and check_ledger finds nothing');
note $load->report;
is( sql($standby, q{INSERT INTO shop.order_line_status (order_id, line_no, item, quantity)
	VALUES ('5', 1, 'A', 2) RETURNING allocated, backordered}), '0|2', 'after promotion orders are placed');
sql($standby, "SELECT shop.receive('A', 50)");
is(sql($standby, "SELECT sum(backordered) FROM shop.order_line_status WHERE item = 'A'"), '0', 'and receipts fill them');
no_disagreement($standby, 'shop', 'nothing to complain of');

$standby->stop;
done_testing();
