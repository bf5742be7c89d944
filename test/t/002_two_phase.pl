# Transactions prepared for two-phase commit keep their place: whoever must
# know what becomes of them waits, also after the server was restarted or crashed.
use strict;
use warnings;

use BackorderTest;
use Test::More;

my $node = start_node('two_phase');

sql($node, q{
	SELECT backorder.create_ledger('shop');
	INSERT INTO shop.item (item) VALUES ('A'), ('B');
});

my $order = "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('%s', 1, 'A', %s)";
my $receipt = "INSERT INTO shop.stock_move (item, quantity) VALUES ('A', %s)";

sub prepared
{
	my ($name, $text) = @_;
	sql($node, "BEGIN; $text; PREPARE TRANSACTION '$name'");
	return;
}

# A session whose statement waits for the prepared transaction.
sub waiting
{
	my ($text, $name) = @_;
	my $session = session($node);
	my $pid = backend_pid($session);
	start_query($session, $text);
	ok(wait_until_blocked($node, $pid), $name);
	return $session;
}

sub finish
{
	my ($session, $name) = @_;
	is(finish_query($session), '', $name);
	$session->quit;
	return;
}

sub stock
{
	return sql($node, q{
		SELECT on_hand, allocated, available, backordered FROM shop.stock WHERE item = 'A'});
}

sub line
{
	my ($order_id) = @_;
	return sql($node, "SELECT allocated, backordered FROM shop.order_line_status WHERE order_id = '$order_id'");
}

# A short order, prepared; a receipt that comes meanwhile.
prepared('short', sprintf $order, '1', 5);
my $session = waiting(sprintf($receipt, 3), 'a receipt waits for the prepared short order');
sql($node, "COMMIT PREPARED 'short'");
finish($session, 'the receipt ends after COMMIT PREPARED');
is(line('1'), '3|2', 'and has filled the order');
no_disagreement($node, 'shop', 'nothing to complain of after COMMIT PREPARED');

prepared('given up', sprintf $order, '2', 5);
$session = waiting(sprintf($receipt, 4), 'a receipt waits again');
sql($node, "ROLLBACK PREPARED 'given up'");
finish($session, 'the receipt ends after ROLLBACK PREPARED');
is(line('2'), '', 'the order is not there');
is(stock(), '7|5|2|0', 'order 1 is filled and the rest is available');
no_disagreement($node, 'shop', 'nothing to complain of after ROLLBACK PREPARED');

# An order in stock, prepared: an order for the last units waits, an order of another item does not.
prepared('in stock', sprintf $order, '3', 2);
$session = waiting(sprintf($order, '4', 1), 'an order for the last unit waits for the prepared one');
sql($node, "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('other', 1, 'B', 1)");
sql($node, "ROLLBACK PREPARED 'in stock'");
finish($session, 'and ends');
is(line('4'), '1|0', 'it got a unit');

# A receipt, prepared: an order that needs it waits.
prepared('receipt', sprintf $receipt, 10);
$session = waiting(sprintf($order, '5', 6), 'a short order waits for the prepared receipt');
sql($node, "COMMIT PREPARED 'receipt'");
finish($session, 'and ends');
is(line('5'), '6|0', 'it found the stock');
no_disagreement($node, 'shop', 'nothing to complain of');

# Over a restart, and over a crash.
foreach my $mode ('fast', 'immediate')
{
	my ($available, $waiting) =
	  split /\|/, sql($node, "SELECT available, backordered FROM shop.stock WHERE item = 'A'");
	cmp_ok($available, '>=', 3, "before the restart ($mode) there is stock");
	is($waiting, '0', 'and nobody waits');

	prepared('in stock', sprintf $order, "in stock $mode", $available - 1);
	$node->stop($mode);
	$node->start;
	is(sql($node, 'SELECT gid FROM pg_prepared_xacts'), 'in stock', 'the prepared order is there after it');
	like(sql_error($node, "SET lock_timeout = '300ms'; " . sprintf $order, "late $mode", 2),
		qr/55P03/, 'an order that may need what it holds waits for it');
	sql($node, "COMMIT PREPARED 'in stock'");
	no_disagreement($node, 'shop', 'nothing to complain of');

	prepared('short', sprintf $order, "short $mode", 4);
	$node->stop($mode);
	$node->start;
	like(sql_error($node, "SET lock_timeout = '300ms'; " . sprintf $receipt, 9),
		qr/55P03/, 'a receipt waits for the prepared short order');
	$session = waiting(sprintf($receipt, 9), 'without a time limit, too');
	sql($node, "COMMIT PREPARED 'short'");
	finish($session, 'until COMMIT PREPARED');
	is(line("short $mode"), '4|0', 'the order has its stock');
	no_disagreement($node, 'shop', 'nothing to complain of');
}

is(sql($node, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', 'no lock is left');

$node->stop;
done_testing();
