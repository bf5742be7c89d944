#!/usr/bin/perl
# Writes the isolation tests of pairs of writes into a directory: pair_NAME.spec.
#
#     perl pairs.pl DIRECTORY
#
# Each pair is two writes of one item that meet, in two sessions.  What must hold
# is said once for each pair: what there is to be seen after neither (none), after
# one of them alone (first, second) and after both, one after the other (both, or
# "first, second" and "second, first" where the order makes a difference).  Every
# permutation ends in check, which shows which of these is there (or else what
# there is), and then check_ledger, which is to return no rows.  Whoever gets
# 40001 under REPEATABLE READ or SERIALIZABLE did nothing; under READ COMMITTED
# nobody gets one.  The expected outputs say who that is, and who waits.
use strict;
use warnings;

my $place = 'INSERT INTO order_line (order_id, line_no, item, quantity, placed_at) VALUES';
my $ship = "INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment'";

# order: allocated + waiting; item: on hand (available)
my @pairs = (
	place_place => {
		about => 'Two orders for the last unit: one gets it.',
		have => { A => 1 },
		first => "$place ('1', 1, 'A', 1, '2025-03-01')",
		second => "$place ('2', 1, 'A', 1, '2025-03-02')",
		none => 'A: 1 (1)',
		first_alone => '1: 1 + 0, A: 1 (0)',
		second_alone => '2: 1 + 0, A: 1 (0)',
		first_second => '1: 1 + 0, 2: 0 + 1, A: 1 (0)',
		second_first => '1: 0 + 1, 2: 1 + 0, A: 1 (0)',
	},
	place_receive => {
		about => 'An order without stock, and a receipt: the stock is not idle while the order waits.',
		first => "$place ('1', 1, 'A', 3, '2025-03-01')",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('A', 4)",
		none => '',
		first_alone => '1: 0 + 3',
		second_alone => 'A: 4 (4)',
		both => '1: 3 + 0, A: 4 (1)',
	},
	receive_receive => {
		about => 'Two receipts, and an order that needs both: it gets all, and the rest is available.',
		lines => [ "'1', 1, 'A', 5, '2025-03-01'" ],
		first => "INSERT INTO stock_move (item, quantity) VALUES ('A', 3)",
		second => "SELECT order_id, quantity FROM receive('A', 4)",
		none => '1: 0 + 5',
		first_alone => '1: 3 + 2, A: 3 (0)',
		second_alone => '1: 4 + 1, A: 4 (0)',
		both => '1: 5 + 0, A: 7 (2)',
	},
	cancel_receive => {
		about => 'A partly allocated order is cancelled while a receipt for it comes: nothing of either is lost.',
		have => { A => 2 },
		lines => [ "'1', 1, 'A', 5, '2025-03-01'" ],
		first => "UPDATE order_line SET cancelled = quantity WHERE order_id = '1'",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('A', 4)",
		none => '1: 2 + 3, A: 2 (0)',
		first_alone => '1: 0 + 0 cancelled 5, A: 2 (2)',
		second_alone => '1: 5 + 0, A: 6 (1)',
		both => '1: 0 + 0 cancelled 5, A: 6 (6)',
	},
	cancel_place => {
		about => 'The last unit is given back while a new order wants it: who has waited for it gets it.',
		have => { A => 1 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01'", "'2', 1, 'A', 1, '2025-03-02'" ],
		first => "SELECT cancelled FROM cancel('1')",
		second => "$place ('3', 1, 'A', 1, '2025-03-03')",
		none => '1: 1 + 0, 2: 0 + 1, A: 1 (0)',
		first_alone => '1: 0 + 0 cancelled 1, 2: 1 + 0, A: 1 (0)',
		second_alone => '1: 1 + 0, 2: 0 + 1, 3: 0 + 1, A: 1 (0)',
		both => '1: 0 + 0 cancelled 1, 2: 1 + 0, 3: 0 + 1, A: 1 (0)',
	},
	cancel_place_last => {
		about => 'The same where nobody waits: the new order gets the unit, and no second one.',
		have => { A => 1 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01'" ],
		first => "UPDATE order_line SET cancelled = quantity WHERE order_id = '1'",
		second => "$place ('2', 1, 'A', 2, '2025-03-02')",
		none => '1: 1 + 0, A: 1 (0)',
		first_alone => '1: 0 + 0 cancelled 1, A: 1 (1)',
		second_alone => '1: 1 + 0, 2: 0 + 2, A: 1 (0)',
		both => '1: 0 + 0 cancelled 1, 2: 1 + 1, A: 1 (0)',
	},
	cancel_cancel => {
		about => 'An order is cancelled twice: its units come back once.',
		have => { A => 3 },
		lines => [ "'1', 1, 'A', 2, '2025-03-01'" ],
		first => "SELECT cancelled FROM cancel('1')",
		second => "SELECT cancelled FROM cancel('1')",
		same => 1,
		none => '1: 2 + 0, A: 3 (1)',
		first_alone => '1: 0 + 0 cancelled 2, A: 3 (3)',
		second_alone => '1: 0 + 0 cancelled 2, A: 3 (3)',
		both => '1: 0 + 0 cancelled 2, A: 3 (3)',
	},
	ship_cancel => {
		about => 'Three of five units leave while all that is open is cancelled: what has left is not given to order 2.',
		have => { A => 5 },
		lines => [ "'1', 1, 'A', 5, '2025-03-01'", "'2', 1, 'A', 5, '2025-03-02'" ],
		first => "$ship, '1', 1, 3)",
		second => "UPDATE order_line SET cancelled = quantity - shipped WHERE order_id = '1'",
		none => '1: 5 + 0, 2: 0 + 5, A: 5 (0)',
		first_alone => '1: 2 + 0 shipped 3, 2: 0 + 5, A: 2 (0)',
		second_alone => '1: 0 + 0 cancelled 5, 2: 5 + 0, A: 5 (0)',
		first_second => '1: 0 + 0 shipped 3 cancelled 2, 2: 2 + 3, A: 2 (0)',
		# the shipment is refused then, 23514
	},
	ship_cancel_last => {
		about => 'The last unit by ship() and cancel(): it leaves, or it goes to order 2.',
		have => { A => 1 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01'", "'2', 1, 'A', 1, '2025-03-02'" ],
		first => "SELECT quantity FROM ship('1')",
		second => "SELECT cancelled FROM cancel('1')",
		none => '1: 1 + 0, 2: 0 + 1, A: 1 (0)',
		first_alone => '1: 0 + 0 shipped 1, 2: 0 + 1',
		second_alone => '1: 0 + 0 cancelled 1, 2: 1 + 0, A: 1 (0)',
		# whoever comes second finds nothing to do
	},
	ship_ship => {
		about => 'Two orders ship the last unit, which one of them holds: the other shipment is refused, 23B02.',
		have => { A => 1 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01'", "'2', 1, 'A', 1, '2025-03-02'" ],
		first => "$ship, '1', 1, 1)",
		second => "$ship, '2', 1, 1)",
		none => '1: 1 + 0, 2: 0 + 1, A: 1 (0)',
		first_alone => '1: 0 + 0 shipped 1, 2: 0 + 1',
		second_alone => '1: 0 + 1, 2: 0 + 0 shipped 1',
	},
	ship_twice => {
		about => 'One line is shipped twice: the second shipment is refused, 23514.',
		have => { A => 5 },
		lines => [ "'1', 1, 'A', 2, '2025-03-01'" ],
		first => "$ship, '1', 1, 2)",
		second => "$ship, '1', 1, 2)",
		same => 1,
		none => '1: 2 + 0, A: 5 (3)',
		first_alone => '1: 0 + 0 shipped 2, A: 3 (3)',
		second_alone => '1: 0 + 0 shipped 2, A: 3 (3)',
	},
	ship_adjust => {
		about => 'Units leave while as many are found missing: a line that is being shipped is passed over, so order 1 loses them.',
		have => { A => 6 },
		lines => [ "'1', 1, 'A', 3, '2025-03-01'", "'2', 1, 'A', 3, '2025-03-02'" ],
		first => "$ship, '2', 1, 3)",
		second => "INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'A', -3)",
		none => '1: 3 + 0, 2: 3 + 0, A: 6 (0)',
		first_alone => '1: 3 + 0, 2: 0 + 0 shipped 3, A: 3 (0)',
		second_alone => '1: 3 + 0, 2: 0 + 3, A: 3 (0)',
		both => '1: 0 + 3, 2: 0 + 0 shipped 3',
		second_passed_over => '1: 0 + 3, 2: 3 + 0, A: 3 (0)',
	},
	adjust_adjust => {
		about => 'Two losses of the same stock: each takes its own units.',
		have => { A => 3 },
		lines => [ "'1', 1, 'A', 2, '2025-03-01'" ],
		first => "INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'A', -1)",
		second => "INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'A', -2)",
		none => '1: 2 + 0, A: 3 (1)',
		first_alone => '1: 2 + 0, A: 2 (0)',
		second_alone => '1: 1 + 1, A: 1 (0)',
		both => '1: 0 + 2',
	},
	place_adjust => {
		about => 'The last unit is ordered while it is found missing: the order waits, or lost what it had.',
		have => { A => 1 },
		first => "$place ('1', 1, 'A', 1, '2025-03-01')",
		second => "INSERT INTO stock_move (kind, item, quantity) VALUES ('adjustment', 'A', -1)",
		none => 'A: 1 (1)',
		first_alone => '1: 1 + 0, A: 1 (0)',
		second_alone => '',
		both => '1: 0 + 1',
	},
	place_transfer => {
		about => 'The last unit is ordered while it goes elsewhere.',
		have => { A => 1 },
		first => "$place ('1', 1, 'A', 1, '2025-03-01')",
		second => "SELECT kind, order_id, quantity FROM transfer('A', 'main', 'east', 1)",
		none => 'A: 1 (1)',
		first_alone => '1: 1 + 0, A: 1 (0)',
		second_alone => 'A at east: 1 (1)',
		both => '1: 0 + 1, A at east: 1 (1)',
	},
	rerank_receive => {
		about => 'Order 2 becomes urgent while a receipt comes that covers one of two.',
		lines => [ "'1', 1, 'A', 3, '2025-03-01'", "'2', 1, 'A', 3, '2025-03-02'" ],
		first => "UPDATE order_line SET priority = 5 WHERE order_id = '2'",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('A', 3)",
		none => '1: 0 + 3, 2: 0 + 3',
		first_alone => '1: 0 + 3, 2: 0 + 3 priority 5',
		second_alone => '1: 3 + 0, 2: 0 + 3, A: 3 (0)',
		first_second => '1: 0 + 3, 2: 3 + 0 priority 5, A: 3 (0)',
		second_first => '1: 3 + 0, 2: 0 + 3 priority 5, A: 3 (0)',
	},
	hold_receive => {
		about => 'Order 1 is put on hold while a receipt for it comes: order 2 gets it.',
		lines => [ "'1', 1, 'A', 3, '2025-03-01'", "'2', 1, 'A', 3, '2025-03-02'" ],
		first => "UPDATE order_line SET not_before = 'infinity' WHERE order_id = '1'",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('A', 3)",
		none => '1: 0 + 3, 2: 0 + 3',
		first_alone => '1: 0 + 0 on hold, 2: 0 + 3',
		second_alone => '1: 3 + 0, 2: 0 + 3, A: 3 (0)',
		both => '1: 0 + 0 on hold, 2: 3 + 0, A: 3 (0)',
	},
	release_place => {
		about => 'A held order is let go while a new one is placed: one of them gets the last unit.',
		have => { A => 1 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01', 'infinity'" ],
		first => "UPDATE order_line SET not_before = NULL WHERE order_id = '1'",
		second => "$place ('2', 1, 'A', 1, '2025-03-02')",
		none => '1: 0 + 0 on hold, A: 1 (1)',
		first_alone => '1: 1 + 0, A: 1 (0)',
		second_alone => '1: 0 + 0 on hold, 2: 1 + 0, A: 1 (0)',
		first_second => '1: 1 + 0, 2: 0 + 1, A: 1 (0)',
		second_first => '1: 0 + 1, 2: 1 + 0, A: 1 (0)',
	},
	raise_receive => {
		about => 'Order 1 wants more while a receipt comes: what it wants in addition waits behind order 2.',
		lines => [ "'1', 1, 'A', 3, '2025-03-01'", "'2', 1, 'A', 3, '2025-03-02'" ],
		first => "UPDATE order_line SET quantity = 5 WHERE order_id = '1'",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('A', 4)",
		none => '1: 0 + 3, 2: 0 + 3',
		first_alone => '1: 0 + 5, 2: 0 + 3',
		second_alone => '1: 3 + 0, 2: 1 + 2, A: 4 (0)',
		both => '1: 3 + 2, 2: 1 + 2, A: 4 (0)',
	},
	lower_receive => {
		about => 'Order 1 wants less while a receipt comes: order 2 gets the rest.',
		lines => [ "'1', 1, 'A', 3, '2025-03-01'", "'2', 1, 'A', 3, '2025-03-02'" ],
		first => "UPDATE order_line SET quantity = 1 WHERE order_id = '1'",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('A', 4)",
		none => '1: 0 + 3, 2: 0 + 3',
		first_alone => '1: 0 + 1, 2: 0 + 3',
		second_alone => '1: 3 + 0, 2: 1 + 2, A: 4 (0)',
		both => '1: 1 + 0, 2: 3 + 0, A: 4 (0)',
	},
	raise_place => {
		about => 'Order 1 wants one more, and so does a new order: one of them gets the last unit.',
		have => { A => 2 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01'" ],
		first => "UPDATE order_line SET quantity = 2 WHERE order_id = '1'",
		second => "$place ('2', 1, 'A', 1, '2025-03-02')",
		none => '1: 1 + 0, A: 2 (1)',
		first_alone => '1: 2 + 0, A: 2 (0)',
		second_alone => '1: 1 + 0, 2: 1 + 0, A: 2 (0)',
		first_second => '1: 2 + 0, 2: 0 + 1, A: 2 (0)',
		second_first => '1: 1 + 1, 2: 1 + 0, A: 2 (0)',
	},
	unship_place => {
		about => 'A shipment is taken back while a new order is placed: the unit is the line\'s again.',
		have => { A => 1 },
		lines => [ "'1', 1, 'A', 1, '2025-03-01'" ],
		then => "$ship, '1', 1, 1)",
		first => "INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', '1', 1, 1)",
		second => "$place ('2', 1, 'A', 1, '2025-03-02')",
		none => '1: 0 + 0 shipped 1',
		first_alone => '1: 1 + 0, A: 1 (0)',
		second_alone => '1: 0 + 0 shipped 1, 2: 0 + 1',
		both => '1: 1 + 0, 2: 0 + 1, A: 1 (0)',
	},
	reallocate_cancel => {
		about => 'Units go by hand from order 1 to order 2 while order 1 is cancelled: they are not given twice.',
		have => { A => 2 },
		lines => [ "'1', 1, 'A', 2, '2025-03-01'", "'2', 1, 'A', 2, '2025-03-02'", "'3', 1, 'A', 2, '2025-03-03'" ],
		first => "SELECT reallocate('1', 1, '3', 1, 2)",
		second => "UPDATE order_line SET cancelled = quantity WHERE order_id = '1'",
		none => '1: 2 + 0, 2: 0 + 2, 3: 0 + 2, A: 2 (0)',
		first_alone => '1: 0 + 2, 2: 0 + 2, 3: 2 + 0, A: 2 (0)',
		second_alone => '1: 0 + 0 cancelled 2, 2: 2 + 0, 3: 0 + 2, A: 2 (0)',
		first_second => '1: 0 + 0 cancelled 2, 2: 0 + 2, 3: 2 + 0, A: 2 (0)',
		# the reallocation is refused then, 23B02
	},
	receive_receive_order => {
		about => 'Two receipts of different items complete one order: it is ready.',
		lines => [ "'1', 1, 'A', 2, '2025-03-01'", "'1', 2, 'B', 2, '2025-03-01'" ],
		first => "INSERT INTO stock_move (item, quantity) VALUES ('A', 2)",
		second => "INSERT INTO stock_move (item, quantity) VALUES ('B', 2)",
		none => '1: 0 + 2, 1: 0 + 2',
		first_alone => '1: 2 + 0, 1: 0 + 2, A: 2 (0)',
		second_alone => '1: 0 + 2, 1: 2 + 0, B: 2 (0)',
		both => '1: 2 + 0, 1: 2 + 0, A: 2 (0), B: 2 (0), order 1 is ready',
	},
);

my %ending = (
	none => 'none', first_alone => 'first', second_alone => 'second', both => 'both',
	first_second => 'first, second', second_first => 'second, first',
	second_passed_over => 'second, passing over');

# Session 1 does first, session 2 second.  A word with an r is put in for the
# level's steps; the numbers are swapped to let the second come first.
my @permutations = (
	'begin1 begin2 first second commit1 commit2',
	'begin1 begin2 first second rollback1 commit2',
	'begin1 begin2 first second commit1 rollback2',
	# a subtransaction that is given up, of the one and of the other
	'begin1 begin2 save1 first back1 second commit1 commit2',
	'begin1 begin2 first save2 second commit1 back2 commit2',
	# a snapshot that is older than the other's write
	'begin1 look1 begin2 second commit2 first commit1',
);

sub swapped
{
	my ($permutation) = @_;
	my %other = (first => 'second', second => 'first');
	return join ' ', map { $other{$_} // tr/12/21/r } split / /, $permutation;
}

sub text { my ($text) = @_; return "'" . $text =~ s/'/''/gr . "'" }

sub spec
{
	my ($name, $pair) = @_;
	my $items = join ', ', map { "('$_')" } 'A', $name =~ /order$/ ? 'B' : ();
	my $endings = join ",\n    ", map { '(' . text($ending{$_}) . ', ' . text($pair->{$_}) . ')' }
	  grep { defined $pair->{$_} } qw(none first_alone second_alone both first_second second_first second_passed_over);
	my @setup = ("INSERT INTO item (item) VALUES $items");
	push @setup, map { "INSERT INTO stock_move (item, quantity) VALUES ('$_', $pair->{have}{$_})" } sort keys %{ $pair->{have} // {} };
	push @setup, map {
		my $held = tr/,// > 4 ? ', not_before' : '';
		"INSERT INTO order_line (order_id, line_no, item, quantity, placed_at$held) VALUES ($_)"
	} @{ $pair->{lines} // [] };
	push @setup, $pair->{then} // ();
	my $setup = join '', map { "  $_;\n" } @setup;
	my $sessions = join "\n", map { session($_, $pair) } 1, 2;
	my @all = @permutations;
	push @all, map { swapped($_) } @permutations unless $pair->{same};
	my $permutations = '';
	foreach my $level ('', 'rr1 rr2 ', 'ser1 ser2 ')
	{
		$permutations .= "permutation $level$_ check\n" for @all;
	}
	return <<"END";
# $pair->{about}
setup {
  DO 'BEGIN IF to_regnamespace(''pairs'') IS NULL THEN SET LOCAL ROLE merchant; PERFORM backorder.create_ledger(''pairs''); END IF; END';
}
setup {
  SET SESSION AUTHORIZATION merchant;
  SET search_path = pairs;
  DELETE FROM item;
  INSERT INTO location VALUES ('east') ON CONFLICT DO NOTHING;
$setup  CREATE VIEW seen AS
    SELECT coalesce(string_agg(fact, ', ' ORDER BY n, order_id, line_no, fact), '') AS state
    FROM (
      SELECT 1, concat(order_id, ': ', allocated, ' + ', backordered, CASE WHEN on_hold THEN ' on hold' END,
        ' shipped ' || nullif(shipped, 0), ' cancelled ' || nullif(cancelled, 0), ' priority ' || nullif(priority, 0)),
        order_id, line_no
      FROM order_line_status
      UNION ALL
      SELECT 2, concat(item, ' at ' || nullif(location, 'main'), ': ', on_hand, ' (', available, ')'), NULL, NULL
      FROM stock WHERE on_hand <> 0
      UNION ALL
      SELECT 3, 'order ' || order_id || ' is ready', NULL, NULL
      FROM order_status WHERE ready AND (SELECT count(*) FROM item) > 1
    ) AS f (n, fact, order_id, line_no);
  CREATE TABLE ending (name text, state text);
  INSERT INTO ending VALUES
    $endings;
  CREATE VIEW outcome AS
    SELECT coalesce((SELECT string_agg(name, ' or ') FROM ending AS e WHERE e.state = s.state), s.state) AS "as after"
    FROM seen AS s;
}
teardown {
  SET client_min_messages = warning;
  DROP VIEW pairs.outcome, pairs.seen;
  DROP TABLE pairs.ending;
  DO 'BEGIN PERFORM backorder.empty_ledger(''pairs''); END';
}

$sessions
step check { TABLE outcome; SELECT * FROM backorder.check_ledger('pairs'); }

$permutations
END
}

sub session
{
	my ($n, $pair) = @_;
	my $write = $n == 1 ? 'first' : 'second';
	return <<"END";
session s$n
setup {
  SET SESSION AUTHORIZATION merchant;
  SET search_path = pairs;
  SET default_transaction_isolation = 'read committed';
}
step rr$n { SET default_transaction_isolation = 'repeatable read'; }
step ser$n { SET default_transaction_isolation = 'serializable'; }
step begin$n { BEGIN; }
step look$n { SELECT count(*) >= 0 AS looked FROM order_line; }
step save$n { SAVEPOINT s; }
step $write { $pair->{$write}; }
step back$n { ROLLBACK TO s; }
step commit$n { COMMIT; }
step rollback$n { ROLLBACK; }
END
}

my ($directory) = @ARGV or die "usage: pairs.pl DIRECTORY\n";
while (my ($name, $pair) = splice @pairs, 0, 2)
{
	open my $file, '>', "$directory/pair_$name.spec" or die "pair_$name.spec: $!\n";
	print {$file} spec($name, $pair);
	close $file or die "pair_$name.spec: $!\n";
}
