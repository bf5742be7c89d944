# What statements need is taken away from them: time, their backend, disk, memory,
# locks.  A statement fails as a whole or works as a whole, nothing is lost, and
# check_ledger finds nothing.
#
# BACKORDER_FAULTS=full: longer, and larger.
use strict;
use warnings;

use FindBin;
use List::Util 'sum0';
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Load;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;

my $full = ($ENV{BACKORDER_FAULTS} // '') eq 'full';

interrupted_statements();
interrupted_plans();
out_of_locks();
out_of_memory();
out_of_disk();
done_testing();

# ---- time-outs, cancelled statements, terminated backends

sub interrupted_statements
{
	my $seconds = $full ? 300 : 6;
	my $node = start_node('interrupted', 'deadlock_timeout = 100ms');
	my $load = Load->new(node => $node, seed => 11, sessions => 8, reconnect => 1,
		expected => qr/^(?:57014|55P03|57P01)$/, before => \&random_limits);
	sql($node, $load->prepare);
	$load->start;
	my ($end, $sent, $checks, @found) = (time + $seconds, 0, 0);
	while (time < $end)
	{
		sleep rand 0.02;
		my $function = rand() < 0.1 ? 'pg_terminate_backend' : 'pg_cancel_backend';
		$sent += $node->safe_psql('postgres', "SELECT count($function(pid)) FROM (SELECT pid FROM pg_stat_activity"
			  . " WHERE usename = 'merchant' AND state <> 'idle' ORDER BY random() LIMIT 3) AS s");
		# what has been committed so far is right at every moment
		next if rand() < 0.9;
		my $check = $node->safe_psql('store', "SELECT * FROM backorder.check_ledger('shop')");
		push @found, $check if $check ne '';
		$checks++;
	}
	$load->stop;
	my @wrong = $load->disagreements;
	splice @wrong, 20;
	ok(!@wrong, 'cancelled, terminated, timed out: nothing lost, nothing half done') or diag map { "\n  $_" } @wrong;
	is($found[0] // '', '', "check_ledger was empty $checks times meanwhile");
	no_disagreement($node, 'shop', 'and is empty at the end');
	note "$sent signals; ", $load->report;
	diag "$sent signals; ", $load->report if $full;
	my $interrupted = sum0 map { $load->{states}{$_} // 0 } qw(57014 55P03 57P01 lost);
	cmp_ok($interrupted, '>', 20, 'there were interruptions');
	is($node->safe_psql('store', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', 'no lock is left');
	$node->stop;
	return;
}

sub random_limits
{
	my $chance = rand;
	return sprintf 'SET LOCAL statement_timeout = %d;', 1 + int rand 8 if $chance < 0.25;
	return sprintf 'SET LOCAL lock_timeout = %d;', 1 + int rand 8 if $chance < 0.5;
	return '';
}

# A plan that could not be finished leaves no memory behind in a session that goes on.
sub interrupted_plans
{
	my $node = start_node('plans');
	sql($node, Load->prepare);
	$node->safe_psql('postgres', 'GRANT pg_read_all_stats TO merchant');
	sql($node, "INSERT INTO shop.order_line (order_id, line_no, item, quantity) VALUES ('short', 1, 'item 1', 100)");
	my ($holder, $user) = map { Session->new('-U', 'merchant', '-d', $node->connstr('store')) } 1 .. 2;
	# the planner opens indexes, and waits for this one
	$holder->rows('BEGIN; ALTER INDEX shop.backorder_line SET TABLESPACE pg_default;');
	$user->rows("SET lock_timeout = '5ms';");
	my $receipt = "INSERT INTO shop.stock_move (item, quantity) VALUES ('item 1', 1);";
	my $plans = q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource';};
	my $one = 0;
	foreach my $time (1 .. 10)
	{
		my $state = $user->run($receipt)->{state};
		next if $time > 1;
		is($state, '55P03', 'planning waits in vain');
		$one = $user->value($plans);
	}
	is($user->value($plans), $one, 'plans that were not finished are freed');
	$holder->rows('ROLLBACK;');
	is($user->run($receipt)->{state}, '00000', 'later it works');
	no_disagreement($node, 'shop', 'and check_ledger finds nothing');
	$_->quit foreach $holder, $user;
	$node->stop;
	return;
}

# ---- locks

# A lock table with room for some 350 locks, and transactions over many more items than there
# are locks.
sub out_of_locks
{
	my $items = $full ? 50_000 : 4000;
	foreach my $setting ($full ? (16, 64) : 16)
	{
		my $node = start_node("locks$setting", "max_locks_per_transaction = $setting", 'max_connections = 10', 'max_prepared_transactions = 2');
		sql($node, qq{
			SELECT backorder.create_ledger('shop', 'UTC');
			INSERT INTO shop.item (item) SELECT 'item ' || i FROM generate_series(1, $items) AS i;
		});
		# half of the items are short, in every one of the stripes
		my $orders = join '', map { "big\t$_\titem $_\t3\n" } 1 .. $items;
		my $receipts = join '', map { "item $_\tmain\t2\n" } 1 .. $items;
		copy($node, 'order_line (order_id, line_no, item, quantity)', $orders, "$setting: COPY of orders of $items items");
		copy($node, 'stock_move (item, location, quantity)', $receipts, "$setting: COPY of receipts of $items items");
		is(sql($node, 'SELECT sum(allocated), sum(backordered) FROM shop.stock'), 2 * $items . '|' . $items,
			"$setting: all of it was allocated");
		is(sql($node, q{WITH shipped AS (INSERT INTO shop.stock_move (kind, order_id, line_no, quantity)
			SELECT 'shipment', order_id, line_no, 1 FROM shop.order_line WHERE line_no <= 2000 RETURNING 1) SELECT count(*) FROM shipped}),
			2000, "$setting: a shipment of 2,000 items");
		no_disagreement($node, 'shop', "$setting: check_ledger finds nothing");
		crowded_lock_table($node, $setting);
		$node->stop;
	}
	return;
}

sub copy
{
	my ($node, $target, $rows, $name) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/rows';
	PostgreSQL::Test::Utils::append_to_file($file, $rows);
	my ($rc, $out, $err) = $node->psql('store', "SET search_path = shop;\n\\copy $target FROM '$file'", extra_params => [ '-U', 'merchant' ]);
	unlink $file;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($rc . $err, '0', $name);
}

# Somebody else holds nearly all the locks there are.
sub crowded_lock_table
{
	my ($node, $setting) = @_;
	my $crowd = Session->new('-U', 'postgres', '-d', $node->connstr('store'));
	my $user = Session->new('-U', 'merchant', '-d', $node->connstr('store'));
	$user->rows('SET search_path = shop;');
	my $before = state_of($node);
	my (%states, $taken);
	# Until the table is full; then give back some, so that statements fail at other places each time.
	$crowd->run('BEGIN; SAVEPOINT s;');
	my $step = $full ? 4 : 25;
	for ($taken = 0; $taken < 1_000_000; $taken += $step)
	{
		my $first = $taken + 1;
		my $last = $taken + $step;
		last if $crowd->run("SAVEPOINT s$taken; SELECT count(pg_advisory_xact_lock(i)) FROM generate_series($first, $last) AS i;")->{state} ne '00000';
	}
	$crowd->run("ROLLBACK TO s$taken;");    # it fails here whatever was taken
	my @statements = (
		"INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'crowded', i, 'item ' || i, 5 FROM generate_series(1, 400) AS i;",
		"INSERT INTO stock_move (item, quantity) SELECT 'item ' || i, 1 FROM generate_series(1, 400) AS i;",
		"UPDATE order_line SET cancelled = cancelled + 1 WHERE order_id = 'big' AND line_no BETWEEN 3000 AND 3400;",
		"INSERT INTO stock_move (kind, item, quantity) SELECT 'adjustment', 'item ' || i, -1 FROM generate_series(2500, 2900) AS i;");
	while (1)
	{
		my $works = 0;
		foreach my $statement (@statements)
		{
			my $state = $user->run("BEGIN; $statement")->{state};
			$states{$state}++;
			$works++ if $state eq '00000';
			$user->run('ROLLBACK;');
		}
		# as many locks are free as each of them needs; until then, a few more each time
		last if $works == @statements || $taken < $step;
		$taken -= $step;
		$crowd->run("ROLLBACK TO s$taken;");
	}
	$crowd->run('ROLLBACK;');
	my $states = join ', ', map { "$states{$_} $_" } sort keys %states;
	note "crowded: $states";
	diag "crowded: $states" if $full;
	like($states, qr/53200/, "$setting: without locks statements fail with 53200 ($states)");
	unlike($states, qr/XX|55000|22/, "$setting: and with nothing else");
	is(state_of($node), $before, "$setting: what failed left nothing behind");
	is($user->run($statements[$_])->{state}, '00000', "$setting: later statement $_ works") foreach 0 .. $#statements;
	no_disagreement($node, 'shop', "$setting: check_ledger finds nothing after these");
	$_->quit foreach $crowd, $user;
	return;
}

# Sums over all that a statement can have written.
sub state_of
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'store', q{
		SELECT (SELECT (count(*), sum(quantity), sum(cancelled), sum(shipped), sum(backordered_at_entry)) FROM shop.order_line),
			(SELECT (count(*), sum(quantity)) FROM shop.stock_move), (SELECT (sum(available), sum(allocated)) FROM shop.stock_slot),
			(SELECT (count(*), sum(remaining)) FROM shop.backorder), (SELECT (count(*), sum(quantity)) FROM shop.journal)});
}

# ---- memory

# A backend may not take more than it has and a little: more from one time to the
# next, so that something else is refused each time.
sub out_of_memory
{
	if (system('prlimit --version >/dev/null 2>&1') != 0 || !-r '/proc/self/status')
	{
		diag 'out of memory: skipped, there is no prlimit here';
		return;
	}
	my $lines = $full ? 20_000 : 1500;
	my $node = start_node('memory', 'max_locks_per_transaction = 64');
	my $pid = $node->safe_psql('postgres', "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");
	if (PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^VmSize:\s+\d{10,} kB/m)
	{
		diag 'out of memory: skipped, a sanitizer has taken all addresses there are';
		$node->stop;
		return;
	}
	sql($node, qq{
		SELECT backorder.create_ledger('shop', 'UTC');
		SET search_path = shop;
		INSERT INTO priority_rule (name, condition, head_start) VALUES ('large', '\$.quantity > 2', '1 day');
		INSERT INTO item (item) SELECT 'item ' || i FROM generate_series(1, 500) AS i;
		INSERT INTO stock_move (item, quantity) SELECT 'item ' || i, 20 FROM generate_series(1, 500) AS i;
		INSERT INTO order_line (order_id, line_no, item, quantity)
			SELECT 'first ' || i, 1, 'item ' || 1 + i % 500, 1 + i % 4 FROM generate_series(1, 2 * $lines) AS i;
	});
	my $before = state_of($node);
	my %statements = (
		orders => "INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'second', i, 'item ' || 1 + i % 500, 5 FROM generate_series(1, $lines) AS i;",
		receipts => "INSERT INTO stock_move (item, quantity) SELECT 'item ' || 1 + i % 500, 2 FROM generate_series(1, $lines) AS i;",
		cancel => "UPDATE order_line SET cancelled = quantity WHERE line_no = 1;",
		loss => "INSERT INTO stock_move (kind, item, quantity) SELECT 'adjustment', 'item ' || i, -15 FROM generate_series(1, 500) AS i;",
		ship => "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, allocated FROM order_line_status WHERE allocated > 0;",
		rerank => 'SELECT reprioritize();');
	my %states;
	foreach my $name (sort keys %statements)
	{
		my ($kilobytes, $worked) = (64, 0);
		while ($worked < 2 && $kilobytes < 2_000_000)
		{
			my $state = state_with_memory($node, $kilobytes, $statements{$name});
			$states{$state}++;
			$worked++ if $state eq '00000';
			$kilobytes *= $full ? 1.1 : 2;
		}
		is($worked, 2, "$name works with enough memory");
		is(state_of($node), $before, "$name, without: nothing was left behind");
	}
	my $states = join ', ', map { "$states{$_} $_" } sort keys %states;
	note "memory: $states";
	diag "memory: $states" if $full;
	cmp_ok($states{53200} // 0, '>', 10, "without memory statements fail with 53200 ($states)");
	is(join(', ', grep { !/^(?:00000|53200)$/ } sort keys %states), '', 'and with nothing else');
	no_disagreement($node, 'shop', 'check_ledger finds nothing');
	$node->stop;
	return;
}

# What becomes of a statement when its backend may take so much more than it has.
sub state_with_memory
{
	my ($node, $kilobytes, $statement) = @_;
	my $session = Session->new('-U', 'merchant', '-d', $node->connstr('store'));
	# what is read once for each session, and the depth of its stack
	$session->run(q{SET search_path = shop; SET work_mem = '1GB'; SET jit = off; BEGIN;
		INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ('warm', 1, 'item 1', 1), ('warm', 2, 'item 1', 100);
		INSERT INTO stock_move (item, quantity) VALUES ('item 1', 3);
		SELECT ship('warm'); SELECT cancel('warm'); SELECT reprioritize('item 1'); ROLLBACK;});
	my $pid = $session->value('SELECT pg_backend_pid();');
	my ($size) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m;
	my $limit = int(1024 * ($size + $kilobytes));
	$session->run('BEGIN;');
	system_or_bail('prlimit', "--pid=$pid", "--as=$limit:unlimited");
	my $reply = eval { $session->run($statement) } // { state => "lost the connection: $@", message => '' };
	eval { $session->run('ROLLBACK;'); $session->quit };
	return $reply->{state};
}

# ---- disk

# run makes the disk, where it is root and may mount one.
sub out_of_disk
{
	my $disk = $ENV{BACKORDER_SMALL_DISK} // '';
	if ($disk eq '')
	{
		diag 'out of disk: skipped, a small disk for it takes root and the right to mount';
		return;
	}
	my $node = start_node('disk', 'autovacuum = off');
	mkdir "$disk/tablespace" or die "$disk: $!";
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/tablespace'");
	$node->safe_psql('postgres', 'CREATE DATABASE small OWNER merchant TABLESPACE small');
	sql($node, q{
		CREATE EXTENSION backorder;
		SELECT backorder.create_ledger('shop', 'UTC');
		SET search_path = shop;
		INSERT INTO item (item) SELECT 'item ' || i FROM generate_series(1, 200) AS i;
		INSERT INTO stock_move (item, quantity) SELECT 'item ' || i, 20 FROM generate_series(1, 200) AS i;
		INSERT INTO order_line (order_id, line_no, item, quantity)
			SELECT 'first ' || i % 97, i, 'item ' || 1 + i % 200, 2 FROM generate_series(1, 2500) AS i;
	}, database => 'small');
	my %statements = (
		orders => "INSERT INTO order_line (order_id, line_no, item, quantity) SELECT 'n ' || clock_timestamp(), i, 'item ' || 1 + i % 200, 3 FROM generate_series(1, 300) AS i;",
		receipts => "INSERT INTO stock_move (item, quantity) SELECT 'item ' || 1 + i % 200, 2 FROM generate_series(1, 300) AS i;",
		cancel => "UPDATE order_line SET cancelled = cancelled + 1 WHERE order_id LIKE 'first 1%' AND cancelled + shipped < quantity;",
		loss => "INSERT INTO stock_move (kind, item, quantity) SELECT 'adjustment', 'item ' || i, -1 FROM generate_series(1, 200) AS i;",
		ship => "INSERT INTO stock_move (kind, order_id, line_no, quantity) SELECT 'shipment', order_id, line_no, 1 FROM order_line_status WHERE allocated > 1 AND order_id LIKE 'first 2%';");
	my (%states, @found);
	my $merchant = Session->new('-U', 'merchant', '-d', $node->connstr('small'));
	$merchant->rows('SET search_path = shop;');
	foreach my $name (sort keys %statements)
	{
		# Each time there is room for one page more.
		my $before = state_of($node, 'small');
		my $pages = 0;
		my $state;
		do
		{
			leave_room($disk, $pages * 8192);
			$state = $merchant->run($statements{$name})->{state};
			$states{$state}++;
			push @found, "$name, $pages pages" if $state ne '00000' && state_of($node, 'small') ne $before;
			$pages += $full ? 1 : 3;
		} until $state eq '00000' || $pages > 300;
		is($state, '00000', "$name works with $pages pages");
		unlink "$disk/filler";
		no_disagreement($node, 'shop', "$name: check_ledger finds nothing", database => 'small');
	}
	my $states = join ', ', map { "$states{$_} $_" } sort keys %states;
	note "disk: $states";
	diag "disk: $states" if $full;
	cmp_ok($states{53100} // 0, '>', 10, "without disk statements fail with 53100 ($states)");
	is(join(', ', grep { !/^(?:00000|53100)$/ } sort keys %states), '', 'and with nothing else');
	is("@found", '', 'what failed left nothing behind');
	$merchant->quit;
	$node->stop;
	return;
}

sub leave_room
{
	my ($disk, $bytes) = @_;
	my $name = "$disk/filler";
	unlink $name;
	open my $file, '>', $name or die "$name: $!";
	my $page = "\0" x 4096;
	my $size = 0;
	while (1)
	{
		my $written = syswrite $file, $page;
		last unless $written;
		$size += $written;
	}
	truncate $file, $size > $bytes ? $size - $bytes : 0;
	close $file;
	return;
}
