# Sessions that keep a ledger busy and write down what the server has
# acknowledged, for tests that then take the server, or what it needs, away.
#
# Each session works on orders of its own, and on items that all share.  Before it
# commits it writes down what the transaction will have made of the things it
# touched (an order's sums, a move's quantity), and after the server has said yes,
# that it did.  A transaction whose end nobody heard of is in doubt: it must have
# happened whole or not at all.
package Load;

use strict;
use warnings;

use File::Temp;
use IO::Handle;
use POSIX ();
use Session;
use Time::HiRes qw(sleep time);

use constant ITEMS => map { "item $_" } 1 .. 12;
# What a statement may meet in a crowd, or because another was first.
use constant EXPECTED_STATES => qr/^(?:40001|40P01|23B01|23B02|23514)$/;

# node, ledger (shop), sessions (6), seed, settings (SQL for each new session),
# before (a function of the session that gives SQL to begin a transaction with),
# expected (a pattern of further SQLSTATEs), two_phase, reconnect (go on when a
# connection is lost instead of ending).
sub new
{
	my ($class, %o) = @_;
	my $self = bless {
		sessions => 6, seed => 1, settings => '', expected => qr/^$/, round => 0,
		now => {}, pending => [], done => 0, states => {}, wrong => [], %o }, $class;
	$self->{directory} = File::Temp->newdir;
	return $self;
}

# The ledger and what is in it at the beginning.
sub prepare
{
	my ($self) = @_;
	return "SELECT backorder.create_ledger('shop', 'UTC');"
	  . " INSERT INTO shop.priority_rule (name, condition, head_start) VALUES ('gold', '\$.customer == \"gold\"', '1 day');"
	  . $self->items;
}

sub items
{
	return join '', map { "INSERT INTO shop.item (item) VALUES ('$_'); INSERT INTO shop.stock_move (item, quantity) VALUES ('$_', 10);" } ITEMS;
}

sub start
{
	my ($self) = @_;
	$self->{round}++;
	my $connection = $self->{node}->connstr('store');
	foreach my $number (1 .. $self->{sessions})
	{
		my $pid = fork // die "fork: $!";
		if ($pid == 0)
		{
			local $SIG{PIPE} = 'IGNORE';
			local $SIG{TERM} = sub { $self->{stopping} = 1 };
			eval { $self->work($number, $connection); 1 } or $self->note_down("wrong\tsession $number: $@");
			POSIX::_exit(0);    # the parent's END blocks are not ours
		}
		push @{ $self->{pids} }, $pid;
	}
	return;
}

# Lets them finish the transaction they are at.
sub stop
{
	my ($self) = @_;
	kill 'TERM', @{ $self->{pids} };
	return $self->finish;
}

# Waits for the end of sessions that have lost the server, and reads what they wrote.
sub finish
{
	my ($self) = @_;
	waitpid $_, 0 foreach @{ $self->{pids} };
	$self->{pids} = [];
	foreach my $number (1 .. $self->{sessions})
	{
		my $name = "$self->{directory}/$self->{round}.$number";
		next unless -e $name;
		open my $file, '<', $name or die "$name: $!";
		$self->read_notes(readline $file);
	}
	return;
}

# ---- in a session's process

sub note_down
{
	my ($self, @lines) = @_;
	print { $self->{notes} } map { "$_\n" } @lines;
	return;
}

sub work
{
	my ($self, $number, $connection) = @_;
	open $self->{notes}, '>', "$self->{directory}/$self->{round}.$number" or die "notes: $!";
	$self->{notes}->autoflush(1);
	$self->{connection} = $connection;
	$self->{number} = $number;
	srand $self->{seed} * 10_000 + $self->{round} * 100 + $number;
	$self->{orders} = [ grep { /^\Qorder $number-\E/ } sort keys %{ $self->{now} } ];
	splice @{ $self->{orders} }, 0, -30 if @{ $self->{orders} } > 30;
	$self->{moves} = 0;
	my $session = $self->connect or return;
	until ($self->{stopping})
	{
		next if eval { $self->transaction($session); 1 };
		die $@ unless $@ =~ /^psql ended/;
		return unless $self->{reconnect};
		$session = $self->connect or return;
		$self->find_out($session);
	}
	$session->quit;
	return;
}

sub connect
{
	my ($self) = @_;
	my $deadline = time + 60;
	while (time < $deadline)
	{
		my $session = Session->new('-U', 'merchant', '-d', $self->{connection});
		return $session
		  if eval { $session->run("SET search_path = shop; $self->{settings}")->{state} eq '00000' };
		last if $self->{stopping} || !$self->{reconnect};
		sleep 0.05;
	}
	return;
}

# One transaction, and what becomes of it.
sub transaction
{
	my ($self, $session) = @_;
	my ($sql, @things) = $self->something;
	my $level = pick('READ COMMITTED', 'READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
	my $before = $self->{before} ? $self->{before}->($self) : '';
	my $state = $session->run("BEGIN ISOLATION LEVEL $level; $before $sql")->{state};
	my %values;
	foreach my $thing ($state eq '00000' ? @things : ())
	{
		my $reply = $session->run(value_query($thing));
		$state = $reply->{state};
		last if $state ne '00000';
		$values{$thing} = $reply->{rows}[0];
	}
	my $gid = $self->{two_phase} && rand() < 0.15 ? "$self->{round}-$self->{number}-" . ++$self->{prepared} : '';
	$self->{trying} = [ $gid, %values ];
	if ($state eq '00000')
	{
		$self->note_down(join "\t", 'try', $gid, %values);
		$state = $session->run($gid ? "PREPARE TRANSACTION '$gid';" : 'COMMIT;')->{state};
		if ($gid && $state eq '00000')
		{
			$self->note_down('prepared');
			$state = $session->run("COMMIT PREPARED '$gid';")->{state};
			die "COMMIT PREPARED: $state" if $state ne '00000';
		}
	}
	$session->run('ROLLBACK;') if $state ne '00000';
	$self->ended($state, @things);
	$self->note_down("wrong\t$state: $sql")
	  if $state ne '00000' && $state !~ EXPECTED_STATES && $state !~ $self->{expected};
	return;
}

sub ended
{
	my ($self, $state, @things) = @_;
	$self->note_down($state eq '00000' ? 'done' : "failed\t$state");
	push @{ $self->{orders} }, grep { my $thing = $_; $thing =~ /^order/ && !grep { $_ eq $thing } @{ $self->{orders} } } @things
	  if $state eq '00000';
	shift @{ $self->{orders} } while @{ $self->{orders} } > 30;
	$self->{trying} = undef;
	return;
}

# After a lost connection: did it happen?  The answer must be one for all things.
sub find_out
{
	my ($self, $session) = @_;
	my $trying = $self->{trying} or return;
	my (undef, %values) = @$trying;
	my @true = grep { ($session->run(value_query($_))->{rows}[0] // '') eq $values{$_} } sort keys %values;
	$self->note_down("wrong\thalf a transaction: @true of " . join ', ', sort keys %values)
	  if @true && @true < keys %values;
	$self->ended(%values && @true == keys %values ? '00000' : 'lost', sort keys %values);
	return;
}

sub pick { return $_[ int rand @_ ] }

sub value_query
{
	my ($thing) = @_;
	my ($kind, $name) = split / /, $thing;
	return $kind eq 'order' ? values_of_orders("WHERE order_id = '$name'") . ';' : values_of_moves("WHERE idempotency_key = '$name'") . ';';
}

sub values_of_orders
{
	my ($where) = @_;
	return "SELECT concat_ws('/', count(*), sum(quantity), sum(cancelled), sum(shipped), sum(priority), sum(on_hold::integer))"
	  . ($where ? '' : ", 'order ' || order_id") . ' FROM shop.order_line ' . ($where || "WHERE order_id ~ '^[0-9]+-[0-9]+-' GROUP BY order_id");
}

sub values_of_moves
{
	my ($where) = @_;
	return 'SELECT sum(quantity)::text' . ($where ? '' : ", 'move ' || idempotency_key")
	  . ' FROM shop.stock_move ' . ($where || 'WHERE idempotency_key IS NOT NULL GROUP BY idempotency_key');
}

# SQL, and the things it touches.
sub something
{
	my ($self) = @_;
	my $chance = rand;
	return $self->place if $chance < 0.4 || !@{ $self->{orders} };
	return $self->move('receipt', 1 + int rand 12) if $chance < 0.6;
	return $self->move('adjustment', -2) if $chance < 0.65;
	my $thing = pick(@{ $self->{orders} });
	my $order = $thing =~ s/^order //r;
	my $line = "WHERE order_id = '$order' AND line_no = 1";
	return ("SELECT * FROM ship('$order');", $thing) if $chance < 0.75;
	return ("SELECT * FROM cancel('$order', quantity => NULL, reason => 'enough');", $thing) if $chance < 0.78;
	return ("UPDATE order_line SET cancelled = cancelled + 1 $line AND cancelled + shipped < quantity;", $thing) if $chance < 0.83;
	return ("UPDATE order_line SET quantity = quantity + 2 $line;", $thing) if $chance < 0.88;
	return ("UPDATE order_line SET priority = priority + 1 WHERE order_id = '$order';", $thing) if $chance < 0.91;
	return ("UPDATE order_line SET not_before = CASE WHEN on_hold THEN NULL ELSE 'infinity'::timestamptz END $line;", $thing) if $chance < 0.94;
	return ("SELECT reprioritize('" . pick(ITEMS) . "');") if $chance < 0.95;
	# an order and a delivery in one
	my ($place, $placed) = $self->place;
	my ($receive, $received) = $self->move('receipt', 3);
	return ("$receive SAVEPOINT s; $place RELEASE s;", $placed, $received);
}

sub place
{
	my ($self) = @_;
	my $name = sprintf '%d-%d-%d', $self->{number}, $self->{round}, ++$self->{placed};
	my $n = 0;
	my $lines = join ', ', map { sprintf "('%s', %d, '%s', %d, '%s')", $name, ++$n, pick(ITEMS), 1 + int rand 5, pick('gold', 'plain') }
	  1 .. 1 + int rand 4;
	return ("INSERT INTO order_line (order_id, line_no, item, quantity, customer) VALUES $lines;", "order $name");
}

sub move
{
	my ($self, $kind, $quantity) = @_;
	my $name = sprintf '%d-%d-%d', $self->{number}, $self->{round}, ++$self->{moves};
	return (sprintf("INSERT INTO stock_move (kind, item, quantity, idempotency_key) VALUES ('%s', '%s', %d, '%s');",
		$kind, pick(ITEMS), $quantity, $name), "move $name");
}

# ---- in the test's process

sub read_notes
{
	my ($self, @notes) = @_;
	my $pending;
	foreach my $note (@notes)
	{
		chomp $note;
		my ($what, @rest) = split /\t/, $note;
		if ($what eq 'try')
		{
			my ($gid, %values) = @rest;
			$pending = { gid => $gid, values => \%values };
		}
		elsif ($what eq 'prepared') { $pending->{prepared} = 1 }
		elsif ($what eq 'done')
		{
			$self->{now}{$_} = $pending->{values}{$_} foreach keys %{ $pending->{values} };
			$self->{done}++;
			$pending = undef;
		}
		elsif ($what eq 'failed')
		{
			$self->{states}{ $rest[0] }++;
			$pending = undef;
		}
		else { push @{ $self->{wrong} }, $note }
	}
	push @{ $self->{pending} }, $pending if $pending;
	return;
}

# Settles what was in doubt, and compares everything with what was acknowledged.
# Returns what disagrees; "node" is the server to ask.
sub disagreements
{
	my ($self, $node) = @_;
	$node //= $self->{node};
	my @wrong = splice @{ $self->{wrong} };
	my %prepared = map { $_ => 1 } split /\n/, $node->safe_psql('store', 'SELECT gid FROM pg_prepared_xacts');
	my @pending = splice @{ $self->{pending} };
	foreach my $gid (sort keys %prepared)
	{
		$node->safe_psql('store', "COMMIT PREPARED '$gid'", extra_params => [ '-U', 'merchant' ]);
	}
	my %actual = map { reverse split /\|/ } split /\n/, $node->safe_psql('store', values_of_orders('') . ' UNION ALL ' . values_of_moves(''));
	foreach my $pending (@pending)
	{
		my %values = %{ $pending->{values} };
		my @true = grep { ($actual{$_} // '') eq $values{$_} } keys %values;
		my @before = grep { ($actual{$_} // '') eq ($self->{now}{$_} // '') } keys %values;
		my $must = $pending->{prepared} || $prepared{ $pending->{gid} } ? 'happened' : 'either';
		$self->{in_doubt}{ @true == keys %values ? 'happened' : 'did not' }++;
		if (@true == keys %values) { $self->{now}{$_} = $values{$_} foreach keys %values }
		elsif ($must eq 'happened' || @before != keys %values)
		{
			push @wrong, "in doubt ($must): " . join ', ', map { "$_ is " . ($actual{$_} // 'missing') . ", not $values{$_}" } sort keys %values;
		}
	}
	push @wrong, map { "$_ is " . ($actual{$_} // 'missing') . ", acknowledged was " . ($self->{now}{$_} // 'nothing') }
	  grep { ($actual{$_} // '') ne ($self->{now}{$_} // '') } sort keys %{ { %actual, %{ $self->{now} } } };
	return @wrong;
}

sub report
{
	my ($self) = @_;
	my %states = %{ $self->{states} };
	my %doubt = %{ $self->{in_doubt} // {} };
	return "$self->{done} transactions acknowledged; failed: " . (join(', ', map { "$states{$_} $_" } sort keys %states) || 'none')
	  . '; in doubt: ' . (join(', ', map { "$doubt{$_} $_" } sort keys %doubt) || 'none');
}

1;
