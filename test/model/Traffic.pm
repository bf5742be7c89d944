# Free-running sessions: each a process that does random transactions as fast as it
# can.  What comes of them nobody can foretell, so what is looked at is what must
# hold: the errors (see attempt()), and when all are at rest, Audit.pm.
package Traffic;

use strict;
use warnings;

use JSON::PP;
use Session;
use Time::HiRes qw(sleep time);

use constant ATTEMPTS => 50;
use constant INSERT => 'INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES ';

our @ample = map { "ample $_" } 1 .. 15;
our @none = map { "none $_" } 1 .. 15;
our @scarce = map { "scarce $_" } 1 .. 12;

# The ledger "shop" with its items.
sub prepare
{
	my ($session) = @_;
	$session->rows("SELECT backorder.create_ledger('shop'); SET search_path = shop;");
	$session->rows('INSERT INTO item (item) VALUES ' . join(', ', map { "('$_')" } @ample, @none, @scarce) . ';');
	$session->rows("INSERT INTO location VALUES ('east');");
	$session->rows('INSERT INTO item (item, backorder_limit) VALUES (\'limited\', 40);');
	$session->rows('INSERT INTO priority_rule (name, condition, priority) VALUES (\'vip\', \'$.customer == "vip"\', 5);');
	$session->rows('INSERT INTO stock_move (item, location, quantity) VALUES '
		  . join(', ', (map { "('$_', 'main', 10000000)" } @ample), (map { "('$_', 'main', 20)" } @scarce)) . ';');
	return;
}

# Does the work in so many processes for so many seconds, and adds up what they say:
# { transactions, done, refused, retried, failed, lines }.  Work is called with what a
# session knows of itself, and returns a name, the number of lines it places, statements.
sub in_parallel
{
	my (%o) = @_;    # connect, sessions, seconds, seed, work, say
	my @children;
	my $started = time;
	for my $number (1 .. $o{sessions})
	{
		pipe(my $from, my $to) or die "cannot make a pipe: $!";
		my $pid = fork // die "cannot fork: $!";
		if (!$pid)
		{
			close $from;
			my $said = eval { run_session(\%o, $number, $started + $o{seconds}) } // { failed => ["$@"] };
			print {$to} encode_json($said);
			close $to;
			# Not exit: the server and the test's counters are the parent's.
			require POSIX;
			POSIX::_exit(0);
		}
		close $to;
		push @children, [ $pid, $from ];
	}
	for (my $reported = time; time < $started + $o{seconds}; sleep 0.2)
	{
		next if !$o{say} || time - $reported < 8;
		$reported = time;
		$o{say}->(sprintf '%d of %d s', time - $started, $o{seconds});
	}
	my %sum = (done => {}, refused => {}, retried => {}, failed => [], lines => 0, transactions => 0);
	for my $child (@children)
	{
		my ($pid, $from) = @$child;
		local $/;
		my $said = decode_json(readline($from) || '{"failed": ["a session said nothing"]}');
		waitpid $pid, 0;
		push @{ $sum{failed} }, @{ $said->{failed} // [] };
		$sum{lines} += $said->{lines} // 0;
		for my $kind (qw(done refused retried))
		{
			$sum{$kind}{$_} += $said->{$kind}{$_} for keys %{ $said->{$kind} // {} };
		}
	}
	$sum{transactions} += $_ for values %{ $sum{done} };
	$sum{seconds} = time - $started;
	return \%sum;
}

# Transactions until the time is over.
sub run_session
{
	my ($o, $number, $until) = @_;
	srand 1000 * $o->{seed} + $number;
	my $session = Session->new(@{ $o->{connect} });
	$session->rows('SET search_path = shop;');
	my %me = (number => $number, sessions => $o->{sessions}, orders => 0, phase => "$o->{seed}." . int $until,
		done => {}, refused => {}, retried => {}, failed => [], lines => 0);
	while (time < $until && !@{ $me{failed} })
	{
		my ($name, $lines_placed, @statements) = $o->{work}->(\%me);
		attempt($session, \%me, $name, $lines_placed, @statements);
	}
	$session->quit;
	return \%me;
}

sub attempt
{
	my ($session, $me, $name, $lines_placed, @statements) = @_;
	my $level = $me->{number} % 5 == 0 ? 'SERIALIZABLE' : $me->{number} % 5 == 4 ? 'REPEATABLE READ' : 'READ COMMITTED';
	$level = 'READ COMMITTED' if $name eq 'orders';
	for my $try (1 .. ATTEMPTS)
	{
		# Who waits for others under the higher levels has lost; as an application would, it asks for less in the end.
		$level = 'READ COMMITTED' if $try == ATTEMPTS / 2;
		my @end = 'COMMIT;';
		if ($me->{phases} && rand() < 0.03)
		{
			my $gid = "traffic $me->{number} " . ++$me->{prepared};
			@end = ("PREPARE TRANSACTION '$gid';", 'SELECT pg_sleep(0.005);', "COMMIT PREPARED '$gid';");
		}
		my @begin = "BEGIN ISOLATION LEVEL $level;";
		if ($me->{give_up})
		{
			# Whatever comes of it.
			$session->run(join "\n", @begin, 'SAVEPOINT s;', @{ $me->{give_up} }, 'ROLLBACK TO s;');
			@begin = ();
		}
		my $reply = $session->run(join "\n", @begin, @statements, @end);
		my $state = $reply->{state};
		if ($state eq '00000')
		{
			$me->{done}{$name}++;
			$me->{done}{'in two phases'}++ if @end > 1;
			$me->{lines} += $lines_placed;
			return;
		}
		if ($state eq '40001' || $state eq '40P01')
		{
			$me->{retried}{$state}++;
			$me->{retried}{"$name $state"}++;
			$me->{retried}{"$state under $level"}++;
			sleep rand 0.005 * $try;
			next;
		}
		# What the others did in between can make it impossible.
		if ($state =~ /^(23B01|23B02|23514)$/ || $reply->{constraint} eq 'stock_move_line_on_hold'
			|| ($state eq '23503' && $name =~ /^(cancel order|ship order|give)$/)    # no such order
			|| ($state eq '55000' && $name =~ /^(save|expect not)$/)
			|| ($state eq '23503' && $name eq 'fulfil')    # deleted meanwhile
			|| ($state eq '22023' && $name eq 'give'))
		{
			$me->{refused}{"$name $state"}++;
			return;
		}
		push @{ $me->{failed} }, "$name: $state $reply->{message}\n@statements";
		return;
	}
	push @{ $me->{failed} }, "$name: given up after " . ATTEMPTS . " attempts\n@statements";
	return;
}

# ---- transactions: a name, the number of lines it places, statements

sub pick { return $_[ int rand @_ ] }
sub some { my ($n, @from) = @_; return map { pick(@from) } 1 .. $n }

sub order_name { my ($me) = @_; return "$me->{phase}-$me->{number}-" . ++$me->{orders} }

sub line_values
{
	my ($order, $line_no, $item, $highest) = @_;
	return sprintf "('%s', %d, '%s', %d, '%s')", $order, $line_no, $item, 1 + int rand $highest, pick(qw(ann bob vip));
}

# Items as they come, line by line or all in one statement.
sub place
{
	my ($me, $name, $highest, $at_once, @items) = @_;
	my $order = order_name($me);
	my $line_no = 0;
	my @values = map { line_values($order, ++$line_no, $_, $highest) } some(1 + int rand 5, @items);
	my @statements = $at_once ? INSERT . join(', ', @values) . ';' : map { INSERT . "$_;" } @values;
	return ($name, $line_no, @statements);
}

sub place_anything { my ($me) = @_; return place($me, 'orders', 5, rand() < 0.25, @ample, @none) }

# An order that probably exists, of any session.
sub known_order
{
	my ($me) = @_;
	my $last = $me->{orders} || 1;
	my $recent = $last > 30 ? $last - 30 : 1;
	return sprintf '%s-%d-%d', $me->{phase}, 1 + int rand $me->{sessions}, $recent + int rand($last - $recent + 1);
}

sub do_anything
{
	my ($me, $at_once) = @_;
	my $order = known_order($me);
	my $item = pick(@scarce);
	my $chance = rand;
	# An UPDATE locks rows as its scan finds them; in order only where it is one row.
	my $these = "order_id = '$order'" . ($at_once ? ' AND line_no = ' . (1 + int rand 2) : '');
	return place($me, 'place', 4, $at_once || rand() < 0.25, @scarce, 'limited') if $chance < 0.38;
	return ('receive', 0, "SELECT * FROM receive('$item', " . (1 + int rand 20) . ');') if $chance < 0.50;
	return ('receive several', 0, 'INSERT INTO stock_move (item, location, quantity) VALUES '
		  . join(', ', map { "('$_', 'main', " . (1 + int rand 12) . ')' } some(3, @scarce, 'limited')) . ';') if $chance < 0.58;
	return ('ship', 0, "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, allocated FROM order_line_status WHERE order_id = '$order' AND allocated > 0;")
	  if $chance < 0.66;
	return ('ship what is needed', 0, "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, 1 FROM order_line WHERE order_id = '$order' AND cancelled + shipped < quantity AND NOT on_hold LIMIT 1;")
	  if $chance < 0.69;
	return ('take back', 0, "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment_reversal', order_id, line_no, 1 FROM order_line WHERE order_id = '$order' AND shipped > 0 LIMIT 1;")
	  if $chance < 0.71;
	return ('cancel order', 0, "SELECT * FROM cancel('$order');") if $chance < 0.74;
	return ('cancel lines', 0, "UPDATE order_line SET cancelled = quantity - shipped WHERE $these AND cancelled + shipped < quantity;") if $chance < 0.77;
	return ('cancel line', 0, "UPDATE order_line SET cancelled = cancelled + 1 WHERE order_id = '$order' AND line_no = 1 AND cancelled + shipped < quantity;") if $chance < 0.81;
	return ('change quantity', 0, "UPDATE order_line SET quantity = greatest(quantity + " . (int(rand 5) - 2) . ", cancelled + shipped, 1) WHERE $these;") if $chance < 0.84;
	return ('hold or release', 0, "UPDATE order_line SET not_before = CASE WHEN on_hold THEN NULL ELSE 'infinity'::timestamptz END WHERE $these AND line_no <= 2;") if $chance < 0.86;
	return ('move', 0, "UPDATE order_line SET location = CASE location WHEN 'main' THEN 'east' ELSE 'main' END WHERE order_id = '$order' AND line_no = 1 AND NOT on_hold;") if $chance < 0.875;
	return ('rerank', 0, "UPDATE order_line SET customer = 'vip' WHERE $these;") if $chance < 0.89;
	return ('reprioritize', 0, "SELECT reprioritize('$item');") if $chance < 0.90;
	return ('count', 0, "SELECT * FROM record_count('$item', " . int(rand 25) . ');') if $chance < 0.935;
	return ('lose', 0, "INSERT INTO stock_move (kind, item, location, quantity) VALUES ('adjustment', '$item', 'main', -2);") if $chance < 0.955;
	return ('transfer', 0, "SELECT * FROM transfer('$item', 'main', 'east', 2);") if $chance < 0.97;
	return ('by hand', 0, "UPDATE item SET auto_allocate = NOT auto_allocate WHERE item = '$item';") if $chance < 0.98;
	# What the documentation warns of: short, and then a receipt of the same.
	return $at_once ? ('receive', 0, "SELECT * FROM receive('$item', 5);") : place_and_receive($me, $item);
}

sub place_and_receive
{
	my ($me, $item) = @_;
	my (undef, $count, @statements) = place($me, '', 6, 0, $item, pick(@scarce));
	return ('place and receive', $count, @statements, "SELECT * FROM receive('$item', 5);");
}

# Every kind of statement there is, and at times several of them in one transaction,
# with subtransactions that are given up and in two phases.
sub do_everything
{
	my ($me) = @_;
	$me->{phases} = 1;
	my ($name, $lines, @statements) = rand() < 0.6 ? do_anything($me, rand() < 0.7) : do_more($me);
	$me->{give_up} = undef;
	(undef, undef, @{ $me->{give_up} }) = do_anything($me, 1) if rand() < 0.1;
	if (rand() < 0.1)
	{
		my (undef, $more, @also) = place($me, '', 4, 1, @scarce);
		push @statements, @also;
		$lines += $more;
	}
	return ($name, $lines, @statements);
}

sub do_more
{
	my ($me) = @_;
	my $order = known_order($me);
	my $one = "order_id = '$order' AND line_no = 1";
	my ($item, $place) = (pick(@scarce), pick(qw(main main east)));
	my $new = order_name($me);
	my $n = 1 + int rand 4;
	my @kinds = (
		sub { ('copy', $n, "COPY order_line (order_id, line_no, item, location, quantity) FROM STDIN;\n"
			  . join("\n", map { join "\t", $new, $_, pick(@scarce), $place, 1 + int rand 4 } 1 .. $n) . "\n\\.") },
		sub { ('merge', 0, "MERGE INTO order_line AS t USING (VALUES ('$order', 1)) AS s (o, n) ON t.order_id = s.o AND t.line_no = s.n"
			  . ' WHEN MATCHED AND t.cancelled + t.shipped < t.quantity THEN UPDATE SET quantity = t.quantity + 1;') },
		sub { ('upsert', 1, "INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('$new', 1, '$item', 2);",
			  "INSERT INTO order_line (order_id, line_no, item, quantity) SELECT order_id, line_no, item, quantity FROM order_line"
			  . " WHERE (order_id, line_no) IN (('$new', 1), ('$order', 1)) ORDER BY 1"
			  . ' ON CONFLICT (order_id, line_no) DO UPDATE SET priority = 1 WHERE order_line.priority <> 1;') },
		sub { ('view', $n, "INSERT INTO order_line_status (order_id, line_no, item, quantity) SELECT '$new', g, '$item', g FROM generate_series(1, $n) AS g RETURNING allocated, backordered;") },
		sub { ('order', 2, "SELECT * FROM place_order('$new', '[{\"item\": \"$item\", \"quantity\": 2}, {\"item\": \"limited\", \"quantity\": 1, \"on_short\": \"cancel\"}]');") },
		sub { ('save', 0, "UPDATE order_line_status SET quantity = greatest(quantity, 2), customer = 'bob', shipped = 0, allocated = NULL WHERE $one;") },
		sub { ('held', $n, "INSERT INTO order_line (order_id, line_no, item, quantity, not_before) SELECT '$new', g, '$item', 1, now() + g * interval '100 ms' FROM generate_series(1, $n) AS g;") },
		sub { ('release_due', 0, 'SELECT * FROM release_due();') },
		sub { ('rule', 0, sprintf "INSERT INTO priority_rule (name, condition, priority, head_start) VALUES ('r%d', '\$.quantity > %d', %d, '%d hours')"
			  . ' ON CONFLICT (name) DO UPDATE SET priority = excluded.priority, head_start = excluded.head_start;', 1 + int rand 3, int rand 4, int rand 3, int rand 48) },
		sub { ('no rule', 0, sprintf "DELETE FROM priority_rule WHERE name = 'r%d';", 1 + int rand 3) },
		sub { ('limit', 0, 'UPDATE item SET backorder_limit = ' . (20 + int rand 60) . " WHERE item = 'limited';") },
		sub { ('give', 0, "SELECT reallocate(f.order_id, f.line_no, t.order_id, t.line_no, 1) FROM order_line_status AS f JOIN order_line_status AS t USING (item, location)"
			  . " WHERE f.order_id = '$order' AND f.allocated > f.firm AND t.backordered > 0 AND (t.order_id, t.line_no) <> (f.order_id, f.line_no) LIMIT 1;") },
		sub { ('allocate', 0, "SELECT * FROM allocate('$item', quantity => 2);") },
		sub { ('firm', 0, "UPDATE order_line AS l SET firm = least(1, s.allocated) FROM order_line_status AS s WHERE s.order_id = l.order_id AND s.line_no = l.line_no AND l.order_id = '$order' AND l.line_no = 1;") },
		sub { ('ship order', 0, "SELECT * FROM ship('$order');") },
		sub { ('to vendor', 0, "INSERT INTO stock_move (kind, item, location, quantity) VALUES ('return_to_vendor', '$item', '$place', 1), ('customer_return', '$item', '$place', 1);") },
		(sub { ('expect', 0, "INSERT INTO inbound (item, location, quantity, expected_at, supplier, reference)"
			  . " SELECT i, '$place', $n * 5, now() + $n * interval '1 day', 'acme', '$new' FROM unnest(ARRAY['$item', '" . pick(@scarce) . "']) AS i;") }) x 2,
		# An expected delivery that probably exists: its reference is an order's name, for want of a better one.
		sub { ('slip', 0, "UPDATE inbound SET expected_at = expected_at + interval '$n days' WHERE inbound_id IN (SELECT inbound_id FROM inbound WHERE item = '$item' ORDER BY 1 LIMIT 3);") },
		sub { ('expect less', 0, "UPDATE inbound SET cancelled = cancelled + 1 WHERE inbound_id = (SELECT min(inbound_id) FROM inbound WHERE item = '$item' AND cancelled + received < quantity);") },
		sub { ('expect not', 0, "DELETE FROM inbound WHERE inbound_id = (SELECT max(inbound_id) FROM inbound WHERE item = '$item' AND received = 0);") },
		(sub { ('fulfil', 0, "INSERT INTO stock_move (inbound_id, quantity) SELECT inbound_id, $n FROM inbound WHERE item = '$item' AND cancelled + received < quantity ORDER BY expected_at LIMIT 1;") }) x 3,
		sub { ('refresh', 0, rand() < 0.7 ? "SELECT refresh_promises('$item');" : 'SELECT refresh_promises();') },
		sub { ('clocks', 0, 'CALL run_clocks();') },
		sub { ('by hand', 0, "UPDATE item SET auto_allocate = NOT auto_allocate WHERE item = '$item';", "SELECT pg_sleep(0.002);", "UPDATE item SET auto_allocate = true WHERE item = '$item';") },
	);
	return pick(@kinds)->();
}

1;
