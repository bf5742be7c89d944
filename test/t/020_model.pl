# Random operations on a ledger, each followed by a comparison of all that can be
# seen with an independent model (test/model).
#
# BACKORDER_MODEL_SEED=N chooses the sequence of operations, BACKORDER_MODEL_OPERATIONS=N
# its length.  A failure prints the seed, the operation's number and the last statements.
use strict;
use warnings;

use Digest::MD5 'md5_hex';
use FindBin;
use List::Util 'max';
use Test::More;

use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../model";
use BackorderTest;
use Oracle;
use Session;
use Workload;

my $seed = $ENV{BACKORDER_MODEL_SEED} // 20260;
my $operations = $ENV{BACKORDER_MODEL_OPERATIONS} // 2000;

my $node = start_node('model');
my $ledger = Session->new('-U', 'merchant', '-d', $node->connstr('store'));
my $model = Oracle->new;
my $workload = Workload->new($seed, $model);

note "seed $seed, $operations operations (BACKORDER_MODEL_SEED, BACKORDER_MODEL_OPERATIONS)";
$ledger->rows(<<"SQL");
SET TimeZone = 'UTC'; SET jit = off;
SELECT backorder.create_ledger('shop');
SET search_path = shop;
SQL
$ledger->rows($workload->prepare);
my $digest_query = 'SELECT md5(string_agg(r, E\'\n\' ORDER BY r COLLATE "C")) FROM ('
  . Workload::STATE_QUERY . ') AS s;';

my @recent;    # the last statements, for whoever looks into a failure
my ($transaction, $now, $transaction_mark) = (0);
my %done;
my $failed = 0;
my $reported = time;

OPERATION: for my $number (1 .. $operations)
{
	my $operation = $workload->operation;
	finish_transaction() if $operation->{alone};
	run_sql($operation->{before}) if $operation->{before};
	begin_transaction() unless $transaction;

	my $mark = $model->mark;
	my $roll_back = !$operation->{keep} && Workload::chance(0.05);
	my $reply = run_sql("SAVEPOINT operation;\n$operation->{sql}");
	my ($expected, $expected_state) = apply_to_model($operation);

	my $what = "operation $number ($operation->{name})";
	if (my $wrong = wrong_answer($reply, $expected, $expected_state, $operation->{constraint}))
	{
		give_up($number, "$what: $wrong");
		last OPERATION;
	}
	if ($expected_state ne '00000' || $roll_back)
	{
		run_sql('ROLLBACK TO operation;');
		$model->undo($mark);
	}
	$done{ $operation->{name} }{ $expected_state eq '00000' ? $roll_back ? 'rolled back' : 'done' : 'refused' }++;
	if (my @differences = differences())
	{
		give_up($number, "$what: the ledger (+) is not what the model says (-)", @differences);
		last OPERATION;
	}

	my $keep_open = !$operation->{keep} && Workload::chance(0.25);
	if (!$keep_open)
	{
		my $abort = !$operation->{keep} && Workload::chance(0.03);
		finish_transaction($abort);
		if ($abort && (my @after = differences()))
		{
			give_up($number, "$what: after ROLLBACK the ledger (+) is not what the model says (-)", @after);
			last OPERATION;
		}
	}
	if ($number % 100 == 0 && !nothing_disagrees("after $number operations"))
	{
		give_up($number, 'check_ledger disagrees');
		last OPERATION;
	}
	if (time - $reported >= 5)
	{
		diag "$number of $operations operations";
		$reported = time;
	}
}
finish_transaction() if $transaction;

ok(!$failed, "the ledger agrees with the model after each of $operations operations, seed $seed");
if (!$failed)
{
	ok(nothing_disagrees('at the end'), 'check_ledger is empty at the end');
	is($ledger->run("SELECT backorder.rebuild_ledger('shop');")->{state}, '00000', 'rebuild_ledger');
	is(join("\n", differences()), '', 'what it recomputed is what was there');
	ok(nothing_disagrees('after rebuild_ledger'), 'check_ledger is empty after it');
}
report();
$ledger->quit;
$node->stop;
done_testing();

sub run_sql
{
	my ($sql) = @_;
	push @recent, $sql;
	shift @recent if @recent > 40;
	return $ledger->run($sql);
}

# Single-handed, the isolation level must make no difference.
sub begin_transaction
{
	my $level = Workload::pick('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
	my $reply = run_sql("BEGIN ISOLATION LEVEL $level;\nSELECT (extract(epoch FROM now()) * 1000000)::bigint;");
	$now = $reply->{rows}[0];
	$transaction_mark = $model->mark;
	$transaction = 1;
	return;
}

sub finish_transaction
{
	my ($abort) = @_;
	return unless $transaction;
	my $reply = run_sql($abort ? 'ROLLBACK;' : 'COMMIT;');
	is($reply->{state}, '00000', 'the transaction ends') if $reply->{state} ne '00000';
	if   ($abort) { $model->undo($transaction_mark) }
	else          { $model->commit }
	$transaction = 0;
	return;
}

# What the statement must answer, and its SQLSTATE.
sub apply_to_model
{
	my ($operation) = @_;
	my $answer;
	return ($answer, $operation->{state} // '00000')
	  if eval {
		$model->set(@{ $operation->{set} }) if $operation->{set};
		$answer = $operation->{apply}->($model, $now);
		1;
	  };
	my $error = $@;
	die $error unless ref $error && $error->isa('Oracle::Refusal');
	return (undef, $error->state);
}

sub wrong_answer
{
	my ($reply, $expected, $state, $constraint) = @_;
	return "SQLSTATE $reply->{state} instead of $state: $reply->{message}" if $reply->{state} ne $state;
	return "constraint \"$reply->{constraint}\" instead of \"$constraint\": $reply->{message}"
	  if defined $constraint && $reply->{constraint} ne $constraint;
	return unless $expected && $state eq '00000';
	my ($got, $want) = map { join "\n", sort @$_ } $reply->{rows}, $expected;
	return $got eq $want ? undef : "it answered\n$got\ninstead of\n$want";
}

sub differences
{
	my @model = sort $model->state_rows;
	my $reply = $ledger->run($digest_query);
	return "$reply->{state}: $reply->{message}" if $reply->{state} ne '00000';
	return if ($reply->{rows}[0] || md5_hex('')) eq md5_hex(join "\n", @model);
	my %rows;
	$rows{$_}--  for @model;
	$rows{$_}++ for $ledger->rows(Workload::STATE_QUERY . ';');
	return map { ($rows{$_} > 0 ? '+ ' : '- ') . $_ }
	  sort { ($a =~ s/\|\d+\|/|/gr) cmp ($b =~ s/\|\d+\|/|/gr) } grep { $rows{$_} } keys %rows;
}

sub nothing_disagrees
{
	my ($when) = @_;
	my $reply = $ledger->run("SELECT * FROM backorder.check_ledger('shop');");
	return 1 if $reply->{state} eq '00000' && !@{ $reply->{rows} };
	diag "check_ledger $when:", map { "\n  $_" } $reply->{message}, @{ $reply->{rows} };
	return 0;
}

sub give_up
{
	my ($number, $why, @rows) = @_;
	splice @rows, 40;
	diag "seed $seed: $why", map { "\n  $_" } @rows;
	diag 'the last statements:', map { "\n$_" } @recent[ max(0, @recent - 12) .. $#recent ];
	$failed = 1;
	return;
}

sub report
{
	for my $name (sort keys %done)
	{
		my $count = $done{$name};
		note sprintf '%-16s %s', $name, join ', ', map { "$count->{$_} $_" } sort keys %$count;
	}
	return;
}
