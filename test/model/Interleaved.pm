# Several sessions with open transactions, one statement at a time, and what the
# model says to it.
#
# The engine's locks are held until the end of a transaction, so what it does must
# be what one would get by doing the statements of the committed transactions one
# after the other, in the order in which they were done, whatever the order of the
# commits; and each statement must answer as if there were only those committed
# before it and those of its own transaction.  That is what is compared: the answer
# and the SQLSTATE of each statement, and after each end of a transaction all that
# can be seen.
#
# A statement that has to wait is left waiting and another session goes on.  All
# of this follows from the seed, but for two things: times, and (with more slots
# than one) which slot a session looks at first, which depends on its process.
#
# What the model is told rather than foretells: that a loss passed a line over
# because another transaction held it (it must be one that another open transaction
# named), and that a transaction was refused by 40001 or 40P01, never the first
# under READ COMMITTED.
package Interleaved;

use strict;
use warnings;

use Digest::MD5 'md5_hex';
use Oracle;
use Session;
use Time::HiRes qw(sleep time);
use Workload;

use constant DIGEST => 'SELECT md5(string_agg(r, E\'\n\' ORDER BY r COLLATE "C")) FROM (' . Workload::STATE_QUERY . ') AS s;';
use constant MOST_OPEN => 5;        # operations in a transaction, more or less
use constant MOST_PREPARED => 3;

# Whose answers or effects depend on times, on what others have locked, or on lines of everybody.
my %left_out = map { $_ => 1 } qw(due release_due nothing);
# They do not lock what depends on them, so nobody may be halfway through a statement when they come into force.
my %quiet = map { $_ => 1 } qw(rule policy auto_off);
my %passes_over = map { $_ => 1 } qw(loss count transfer ship ship_function ship_waiting mixed_moves);
my %setting = map { $_ => 1 } qw(rule policy auto_off auto_on);

# connect: arguments of psql; seed, sessions, operations; check: check_ledger after so
# many ends of transactions; say: called with a line of progress.
sub new
{
	my ($class, %o) = @_;
	my $model = Oracle->new;
	my $self = bless {
		%o, model => $model, workload => Workload->new($o{seed}, $model),
		log => [],       # operations done, not yet part of the model for good
		open => {},      # transactions by number
		lately => [],    # those that ended since all were at rest
		next => 1, prepared => 0, ends => 0, trace => [], count => {}, done => 0,
	}, $class;
	$self->{admin} = Session->new(@{ $o{connect} });
	$self->{admin}->rows("SET TimeZone = 'UTC'; SET jit = off; SET client_min_messages = warning;");
	$self->{admin}->rows("DROP SCHEMA IF EXISTS shop CASCADE; SELECT backorder.create_ledger('shop'); SET search_path = shop;");
	$self->{admin}->rows($self->{workload}->prepare);
	# The oracle's starting point: items and locations are there.
	$model->commit;
	$self->{rules} = {};
	$self->{items} = { %{ $model->{item} } };
	$self->{sessions} = [ map { $self->connect_session($_) } 1 .. $o{sessions} ];
	return $self;
}

sub connect_session
{
	my ($self, $number) = @_;
	my $session = Session->new(@{ $self->{connect} });
	my $slots = $self->{seed} % 2 ? 1 : 4;
	$session->rows("SET TimeZone = 'UTC'; SET jit = off; SET search_path = shop; SET backorder.max_slots = $slots;");
	return { number => $number, psql => $session, pid => $session->value('SELECT pg_backend_pid();') };
}

# Runs; returns why it failed, or nothing.
sub run
{
	my ($self) = @_;
	my $why;
	eval {
		$self->step while $self->{done} < $self->{operations};
		$self->finish_all;
		1;
	} or $why = $@ || 'died';
	$why = $why->{why} if ref $why && ref $why eq 'HASH';
	$_->{psql}->end_at_once for @{ $self->{sessions} };
	$self->{admin}->run("ROLLBACK PREPARED '$_->{prepared}';") for grep { $_->{prepared} } values %{ $self->{open} };
	$self->{admin}->quit;
	return $why;
}

sub fail_with { my ($self, $why) = @_; die { why => "after $self->{done} operations and $self->{ends} ends of transactions: $why" } }

sub note_step
{
	my ($self, $who, $sql) = @_;
	push @{ $self->{trace} }, "-- session $who\n$sql";
	return;
}

# ---- the model as somebody sees it

# With what is committed, and what this transaction has done.
sub look
{
	my ($self, $transaction) = @_;
	my $m = $self->{model};
	$m->undo(0);
	my $own = $transaction ? $transaction->{number} : 0;
	for my $entry (@{ $self->{log} })
	{
		next unless $entry->{committed} || $entry->{transaction} == $own;
		my $error = $self->apply($entry);
		$self->fail_with("what $entry->{name} of session $entry->{session} did is not possible in the order of the statements: $error->{why}")
		  if $error;
	}
	@$m{qw(rule item)} = $self->settings($transaction);
	return;
}

# Returns the refusal, if any.
sub apply
{
	my ($self, $entry) = @_;
	my $m = $self->{model};
	@$m{qw(rule item passed_over)} = @$entry{qw(rules items passed_over)};
	my $mark = $m->mark;
	return if eval { $entry->{answer} = $entry->{operation}{apply}->($m, $entry->{now}); 1 };
	my $error = $@;
	$m->undo($mark);
	die $error unless ref $error && ref $error eq 'Oracle::Refusal';
	return $error;
}

# Rules and items as a statement of this transaction sees them.
sub settings
{
	my ($self, $transaction) = @_;
	my $scratch = Oracle->new;
	$scratch->{rule} = { %{ $self->{rules} } };
	$scratch->{item} = { %{ $self->{items} } };
	$scratch->set(@$_) for $transaction ? map { $_->{operation}{set} // () } $self->entries($transaction) : ();
	return @$scratch{qw(rule item)};
}

sub entries { my ($self, $t) = @_; return grep { $_->{transaction} == $t->{number} } @{ $self->{log} } }

# What all have committed, from the first on, becomes the model's own.
sub settle_log
{
	my ($self) = @_;
	my $m = $self->{model};
	$m->undo(0);
	while (@{ $self->{log} } && $self->{log}[0]{committed})
	{
		my $entry = shift @{ $self->{log} };
		my $error = $self->apply($entry);
		$self->fail_with("the model refuses what it had accepted: $error->{why}") if $error;
		$m->commit;
	}
	return;
}

# ---- steps

sub idle { my ($self) = @_; return grep { !$_->{busy} } @{ $self->{sessions} } }
sub busy { my ($self) = @_; return grep { $_->{busy} } @{ $self->{sessions} } }

sub step
{
	my ($self) = @_;
	$self->{lately} = [];
	my @idle = $self->idle;
	my @prepared = grep { $_->{prepared} } @{ $self->{open} }{ sort { $a <=> $b } keys %{ $self->{open} } };
	if (@prepared && (!@idle || Workload::chance(0.1)))
	{
		my $which = Workload::pick(@prepared);
		$self->finish_prepared($which) if !@idle || $self->may_end($which);
		return;
	}
	$self->fail_with('every session waits: ' . $self->waits) unless @idle;
	my $session = Workload::pick(@idle);
	my $t = $session->{transaction};
	return $self->begin($session) unless $t;
	my $entries = $self->entries($t);
	my $dice = rand;
	if ($dice < 0.06 && $entries) { return $self->roll_back_to($session) }
	if ($dice < 0.28 || $t->{operations} >= MOST_OPEN || $t->{stuck})
	{
		return $self->end($session, Workload::chance(0.15) ? 'ROLLBACK' : 'COMMIT') if $self->may_end($t);
		# Whoever waits must go first: somebody else's turn.
		return $self->end($session, 'ROLLBACK') if @idle == 1;
		return;
	}
	if ($dice < 0.31 && $self->{prepared} < MOST_PREPARED && !$t->{quiet} && $entries) { return $self->prepare($session) }
	return $self->operate($session);
}

# Settings come into force when nobody is halfway through a statement that reads them.
sub may_end
{
	my ($self, $t) = @_;
	return !$t->{quiet} || !grep { !$setting{ $_->{busy}{name} } } $self->busy;
}

sub begin
{
	my ($self, $session) = @_;
	my $level = Workload::pick(('READ COMMITTED') x 3, 'REPEATABLE READ', 'SERIALIZABLE');
	my $sql = "BEGIN ISOLATION LEVEL $level;\nSELECT (extract(epoch FROM now()) * 1000000)::bigint;";
	$self->note_step($session->{number}, $sql);
	my $reply = $session->{psql}->run($sql);
	$self->fail_with("BEGIN: $reply->{message}") if $reply->{state} ne '00000';
	my $t = { number => $self->{next}++, session => $session->{number}, level => $level, now => $reply->{rows}[0],
		operations => 0, orders => {}, savepoint => 0 };
	if ($level ne 'READ COMMITTED')
	{
		$self->look;
		$t->{seen} = { map { $_ => 1 } keys %{ $self->{model}{line} } };
	}
	$session->{transaction} = $self->{open}{ $t->{number} } = $t;
	return;
}

# An operation that fits what the session sees.
sub choose
{
	my ($self, $t) = @_;
	my $w = $self->{workload};
	$self->look($t);
	if ($t->{seen})
	{
		my %seen = (%{ $t->{seen} }, map { $_ => 1 } map { keys %{ $_->{places} } } $self->entries($t));
		$w->{seen} = \%seen;
	}
	else { $w->{seen} = undef }
	$w->{stale} = 1;
	@{ $w->{next} } = ();
	for (1 .. 200)
	{
		my $operation = $w->operation;
		@{ $w->{next} } = ();
		my $name = $operation->{name};
		# TRUNCATE locks everybody out, those who compare as well
		next if $left_out{$name} || $operation->{sql} =~ /^TRUNCATE/;
		next if $setting{$name} && $t->{level} ne 'READ COMMITTED';
		next if $quiet{$name} && !$t->{quiet} && $self->entries($t);
		next if $t->{quiet} && !$quiet{$name};
		return $operation;
	}
	return;
}

sub operate
{
	my ($self, $session) = @_;
	my $t = $session->{transaction};
	my $operation = $self->choose($t);
	if (!$operation) { $t->{stuck} = 1; return }
	$t->{quiet} = 1 if $quiet{ $operation->{name} };
	$t->{operations}++;
	$self->{done}++;
	my $savepoint = 's' . ++$t->{savepoint};
	my $sql = "SAVEPOINT $savepoint;\n$operation->{sql}";
	$t->{orders}{$_} = 1 for $operation->{sql} =~ /\b(o\d{5})\b/g;
	$self->note_step("$session->{number}, $t->{level}, operation $self->{done}, $operation->{name}", $sql);
	$session->{busy} = { name => $operation->{name}, operation => $operation, savepoint => $savepoint };
	$session->{psql}->start($sql);
	$self->settle;
	return;
}

# ---- waiting

# Until every session is done or waits for one that has nothing to do.
sub settle
{
	my ($self) = @_;
	my $patience = 0.02;
	my $since = time;
	while (my @busy = $self->busy)
	{
		my $moved = 0;
		for my $session (@busy)
		{
			next unless $session->{busy};    # done() may have come here by itself
			my $reply = $session->{psql}->reply($session->{busy}{waits} ? 0 : $patience) or next;
			$self->done($session, $reply);
			$moved = 1;
		}
		next if $moved;
		return if $self->all_wait;
		$patience = 0.05;
		$self->fail_with('for a minute nothing has moved: ' . $self->waits) if time - $since > 60;
	}
	return;
}

sub blockers
{
	my ($self) = @_;
	my @busy = $self->busy;
	my %blockers;
	for my $row ($self->{admin}->rows('SELECT pid, array_to_string(pg_blocking_pids(pid), \',\') FROM unnest(ARRAY['
		  . join(',', map { $_->{pid} } @busy) . ']) AS b (pid);'))
	{
		my ($pid, $by) = split /\|/, $row, -1;
		$blockers{$pid} = [ split /,/, $by ];
	}
	return \%blockers;
}

# Each of those who have not answered waits, in the end, for somebody idle (or a
# prepared transaction): not for each other.
sub all_wait
{
	my ($self) = @_;
	my $blockers = $self->blockers;
	my %by_pid = map { $_->{pid} => $_ } $self->busy;
	for my $session (values %by_pid)
	{
		my @way = @{ $blockers->{ $session->{pid} } };
		if (!@way) { $session->{busy}{waits} = 0; return 0 }
		my %met;
		my $ends = 0;
		while (defined(my $pid = shift @way))
		{
			next if $met{$pid}++;
			if ($by_pid{$pid}) { push @way, @{ $blockers->{$pid} } }
			else { $ends = 1 }
		}
		return 0 unless $ends;
	}
	for my $session (values %by_pid)
	{
		$self->{count}{waited}++ unless $session->{busy}{waited};
		$session->{busy}{waits} = $session->{busy}{waited} = 1;
	}
	return 1;
}

sub waits
{
	my ($self) = @_;
	my $blockers = $self->blockers;
	return join '; ', map { "session $_->{number} (process $_->{pid}, $_->{busy}{name}) waits for @{ $blockers->{$_->{pid}} }" } $self->busy;
}

# ---- what a statement did

sub done
{
	my ($self, $session, $reply) = @_;
	my ($t, $busy) = @$session{qw(transaction busy)};
	my $operation = $busy->{operation};
	my $what = "operation $operation->{name} of session $session->{number} ($t->{level})";
	delete $session->{busy};
	my %entry = (name => $operation->{name}, operation => $operation, transaction => $t->{number}, session => $session->{number},
		now => $t->{now}, savepoint => $busy->{savepoint}, committed => 0, passed_over => {});
	$self->ask_passed_over($session, \%entry, $reply) if $passes_over{ $operation->{name} };
	if ($reply->{state} =~ /^(40001|40P01)$/)
	{
		$self->fail_with("$what: 40001 under READ COMMITTED: $reply->{message}")
		  if $reply->{state} eq '40001' && $t->{level} eq 'READ COMMITTED';
		$self->{count}{ $reply->{state} }++;
		return $self->end($session, 'ROLLBACK');
	}
	$self->look($t);
	my $m = $self->{model};
	$m->set(@{ $operation->{set} }) if $operation->{set};
	@entry{qw(rules items)} = ({ %{ $m->{rule} } }, { %{ $m->{item} } });
	my $before = { map { $_ => 1 } keys %{ $m->{line} } };
	my $error = $self->apply(\%entry);
	my $state = $operation->{state} // ($error ? $error->state : '00000');
	$self->judge($what, $busy, $session, $reply, \%entry, $state);
	if ($reply->{state} ne '00000')
	{
		$self->{count}{refused}++;
		$self->quietly($session, "ROLLBACK TO $busy->{savepoint};");
		return;
	}
	$entry{places} = { map { $_ => 1 } grep { !$before->{$_} } keys %{ $m->{line} } };
	$self->{count}{done}++;
	$self->{count}{"done $operation->{name}"}++;
	push @{ $self->{log} }, \%entry;
	$self->compare($session->{psql}, "what session $session->{number} sees after $what")
	  if $t->{level} eq 'READ COMMITTED' && Workload::chance(0.2);
	return;
}

sub quietly
{
	my ($self, $session, $sql) = @_;
	$self->note_step($session->{number}, $sql);
	my $reply = $session->{psql}->run($sql);
	$self->fail_with("$sql $reply->{state} $reply->{message}") if $reply->{state} ne '00000';
	return @{ $reply->{rows} };
}

# Lines that a loss left alone because somebody held them.
sub ask_passed_over
{
	my ($self, $session, $entry, $reply) = @_;
	return if $reply->{state} ne '00000';
	my $t = $session->{transaction};
	my $told = $session->{psql}->run("SELECT order_id, line_no, journal_id FROM journal WHERE kind = 'passed_over' AND cause = 'locked'"
		  . ' AND transaction_id = pg_current_xact_id_if_assigned() AND journal_id > ' . ($t->{passed_by} // 0) . ' ORDER BY journal_id;');
	return %$reply = %$told if $told->{state} eq '40001' && $t->{level} eq 'SERIALIZABLE';
	$self->fail_with("journal: $told->{state} $told->{message}") if $told->{state} ne '00000';
	return unless @{ $told->{rows} };
	my $others = $self->orders_of_others($t);
	for my $row (@{ $told->{rows} })
	{
		my ($order, $line, $journal_id) = split /\|/, $row;
		$t->{passed_by} = $journal_id;
		$self->fail_with("a loss passed over $order/$line, which no open transaction has touched") unless $others->{$order};
		$entry->{passed_over}{ Oracle::line_key($order, $line) } = 1;
	}
	$self->{count}{'passed over'}++;
	return;
}

# Orders that other open transactions have named, or some that were open until a moment
# ago: who is refused while others go on held his lines until then.
sub orders_of_others
{
	my ($self, $t) = @_;
	return { map { %{ $_->{orders} } } grep { $_ != $t } values %{ $self->{open} }, @{ $self->{lately} } };
}

sub judge
{
	my ($self, $what, $busy, $session, $reply, $entry, $state) = @_;
	my $operation = $entry->{operation};
	my $got = $reply->{state};
	if ($got ne $state)
	{
		# Units of lines that others hold are not to be had.
		return if $got eq '23B02' && $self->short_without_locked($session->{transaction}, $entry);
		if ($busy->{waited})
		{
			# What a statement waited for may make it wrong in another way, …
			return if $got ne '00000' && $state ne '00000';
			# … and a location that it had filled in from the line is the former one.
			return if $reply->{constraint} eq 'stock_move_location_of_line';
		}
		$self->fail_with("$what: SQLSTATE $got instead of $state: $reply->{message}");
	}
	return if $got ne '00000' || !$entry->{answer};
	my ($has, $wants) = map { join "\n", sort @$_ } $reply->{rows}, $entry->{answer};
	$self->fail_with("$what: it answered\n$has\ninstead of\n$wants") if $has ne $wants;
	return;
}

sub short_without_locked
{
	my ($self, $t, $entry) = @_;
	my $others = $self->orders_of_others($t);
	$self->look($t);
	my %held = map { $_ => 1 } grep { $others->{ (split /\t/)[0] } } keys %{ $self->{model}{line} };
	my $error = $self->apply({ %$entry, passed_over => \%held });
	return $error && $error->state eq '23B02';
}

# ---- ends

sub roll_back_to
{
	my ($self, $session) = @_;
	my $t = $session->{transaction};
	my $from = Workload::pick($self->entries($t));
	my $keep = 1;
	my %gone = map { $_ => 1 } grep { $keep = 0 if $_ == $from; !$keep } $self->entries($t);
	@{ $self->{log} } = grep { !$gone{$_} } @{ $self->{log} };
	$self->quietly($session, "ROLLBACK TO $from->{savepoint};");
	$self->{count}{'rolled back to a savepoint'}++;
	$self->settle;
	return;
}

sub end
{
	my ($self, $session, $how) = @_;
	my $t = $session->{transaction};
	$self->note_step($session->{number}, "$how;");
	my $reply = $session->{psql}->run("$how;");
	delete $session->{transaction};
	if ($reply->{state} eq '40001' && $t->{level} eq 'SERIALIZABLE')
	{
		$self->{count}{'40001'}++;
		$how = 'ROLLBACK';
	}
	elsif ($reply->{state} ne '00000') { $self->fail_with("$how: $reply->{state} $reply->{message}") }
	$self->ended($t, $how eq 'COMMIT');
	return;
}

sub prepare
{
	my ($self, $session) = @_;
	my $t = $session->{transaction};
	my $name = "model $t->{number}";
	$self->note_step($session->{number}, "PREPARE TRANSACTION '$name';");
	my $reply = $session->{psql}->run("PREPARE TRANSACTION '$name';");
	delete $session->{transaction};
	if ($reply->{state} eq '40001')
	{
		$self->{count}{'40001'}++;
		return $self->ended($t, 0);
	}
	$self->fail_with("PREPARE TRANSACTION: $reply->{state} $reply->{message}") if $reply->{state} ne '00000';
	$t->{prepared} = $name;
	$self->{prepared}++;
	$self->{count}{prepared}++;
	return;
}

sub finish_prepared
{
	my ($self, $t) = @_;
	my $how = Workload::chance(0.3) ? 'ROLLBACK' : 'COMMIT';
	$self->note_step('admin', "$how PREPARED '$t->{prepared}';");
	$self->{admin}->rows("$how PREPARED '$t->{prepared}';");
	$self->{prepared}--;
	return $self->ended($t, $how eq 'COMMIT');
}

sub ended
{
	my ($self, $t, $committed) = @_;
	delete $self->{open}{ $t->{number} };
	push @{ $self->{lately} }, $t;
	if ($committed)
	{
		for my $entry ($self->entries($t))
		{
			$entry->{committed} = 1;
			if (my $set = $entry->{operation}{set})
			{
				my $scratch = Oracle->new;
				@$scratch{qw(rule item)} = @$self{qw(rules items)};
				$scratch->set(@$set);
			}
		}
	}
	else
	{
		@{ $self->{log} } = grep { $_->{transaction} != $t->{number} } @{ $self->{log} };
	}
	$self->{count}{ $committed ? 'committed' : 'rolled back' }++;
	$self->{ends}++;
	$self->settle_log;
	$self->compare_committed;
	$self->settle;
	return;
}

sub finish_all
{
	my ($self) = @_;
	while (%{ $self->{open} })
	{
		my $before = $self->{ends};
		for my $t (map { $self->{open}{$_} // () } sort { $a <=> $b } keys %{ $self->{open} })
		{
			if ($t->{prepared}) { $self->finish_prepared($t); next }
			my ($session) = grep { !$_->{busy} && $_->{transaction} && $_->{transaction} == $t } @{ $self->{sessions} };
			$self->end($session, 'COMMIT') if $session && $self->may_end($t);
		}
		next if $self->{ends} > $before;
		my ($session) = grep { !$_->{busy} && $_->{transaction} } @{ $self->{sessions} };
		$self->fail_with('the last ones wait: ' . $self->waits) unless $session;
		$self->end($session, 'ROLLBACK');
	}
	$self->check_ledger;
	return;
}

# ---- comparison

sub compare_committed
{
	my ($self) = @_;
	$self->look;
	my $groups = $self->{model}{group};
	for my $group (@$groups{ sort keys %$groups })
	{
		$self->fail_with("stock of $group->{item} at $group->{location} is idle while somebody waits")
		  if $group->{available} > 0 && %{ $group->{waiting} } && $self->{items}{ $group->{item} }{auto};
	}
	$self->compare($self->{admin}, 'what is committed');
	$self->check_ledger if $self->{ends} % ($self->{check} // 25) == 0;
	return;
}

# The model must look as this session sees it.
sub compare
{
	my ($self, $psql, $what) = @_;
	my @model = sort $self->{model}->state_rows;
	my $digest = $psql->value(DIGEST);
	return if ($digest || md5_hex('')) eq md5_hex(join "\n", @model);
	my %rows;
	$rows{$_}-- for @model;
	$rows{$_}++ for $psql->rows(Workload::STATE_QUERY . ';');
	my @different = map { ($rows{$_} > 0 ? '+ ' : '- ') . $_ }
	  sort { ($a =~ s/\|\d+\|/|/gr) cmp ($b =~ s/\|\d+\|/|/gr) } grep { $rows{$_} } keys %rows;
	splice @different, 40;
	$self->fail_with(join "\n  ", "$what (+) is not what the model says (-)", @different);
	return;
}

sub check_ledger
{
	my ($self) = @_;
	my @rows = $self->{admin}->rows("SELECT * FROM backorder.check_ledger('shop');");
	$self->fail_with(join "\n  ", 'check_ledger disagrees', @rows) if @rows;
	return;
}

1;
