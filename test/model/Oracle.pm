# An independent model of a ledger: what the documents say, in memory, in the
# plainest way, for the random workload to compare the engine with.  It shares
# nothing with the engine and knows nothing of SQL.
#
# Quantities and prices are whole thousandths, times are microseconds since 1970,
# so that everything is exact.  Every change goes through put(), which remembers
# the old value: a statement that fails, or is rolled back, is undone by undo().
package Oracle;

use strict;
use warnings;

use constant INFINITY => 9e18;    # not_before of a line on hold for good

# A statement that the ledger must refuse dies with one of these.
package Oracle::Refusal;
sub state { return $_[0]{state} }
package Oracle;

sub refuse
{
	my ($state, $why) = @_;
	die bless { state => $state, why => $why }, 'Oracle::Refusal';
}

sub new
{
	my ($class) = @_;
	return bless {
		item => {},         # name => { on_short, limit, auto, unit_price }
		location => {},     # name => 1
		rule => {},         # name => { test(line, item), priority, head_start, valid_from, valid_to }
		line => {},         # "order\tline" => line
		group => {},        # "item\tlocation" => { on_hand, available, line => {}, waiting => {} }
		next_backorder => 1,
		passed_over => {},  # "order\tline" => 1: somebody else holds the line, so it keeps its units
		undo => [],
	}, $class;
}

# ---- changes that can be undone

sub put
{
	my ($m, $hash, $key, $value) = @_;
	push @{ $m->{undo} }, [ $hash, $key, exists $hash->{$key}, $hash->{$key} ];
	$hash->{$key} = $value;
	return;
}

sub drop
{
	my ($m, $hash, $key) = @_;
	push @{ $m->{undo} }, [ $hash, $key, exists $hash->{$key}, $hash->{$key} ];
	delete $hash->{$key};
	return;
}

sub add { my ($m, $hash, $key, $n) = @_; return $m->put($hash, $key, $hash->{$key} + $n) }

# The point to come back to with undo().
sub mark { return scalar @{ $_[0]{undo} } }

sub undo
{
	my ($m, $mark) = @_;
	while (@{ $m->{undo} } > $mark)
	{
		my ($hash, $key, $existed, $old) = @{ pop @{ $m->{undo} } };
		if   ($existed) { $hash->{$key} = $old }
		else            { delete $hash->{$key} }
	}
	return;
}

sub commit { $_[0]{undo} = []; return }

# A rule (undef: none any more) or columns of an item.
sub set
{
	my ($m, $what, $name, $value) = @_;
	if    ($what eq 'item') { $m->put($m->{item}, $name, { %{ $m->{item}{$name} }, %$value }) }
	elsif ($value)          { $m->put($m->{rule}, $name, $value) }
	else                    { $m->drop($m->{rule}, $name) }
	return;
}

# ---- what a line is

sub least { return $_[0] < $_[1] ? $_[0] : $_[1] }
sub total { my $n = 0; $n += $_ for @_; return $n }

sub line_key { my ($order, $no) = @_; return "$order\t$no" }

sub group
{
	my ($m, $item, $location) = @_;
	my $key = "$item\t$location";
	if (!$m->{group}{$key})
	{
		$m->put($m->{group}, $key,
			{ item => $item, location => $location, on_hand => 0, available => 0,
			  line => {}, waiting => {} });
	}
	return $m->{group}{$key};
}

# A line as it is now, for whoever has seen it before; none if it is gone.
sub current { my ($m, $line) = @_; return $m->{line}{ line_key(@$line{qw(order_id line_no)}) } }

sub group_of { my ($m, $line) = @_; return $m->group($line->{item}, $line->{location}) }

sub still_wanted { my ($line) = @_; return $line->{quantity} - $line->{cancelled} - $line->{shipped} }
sub open_quantity { my ($line) = @_; return $line->{on_hold} ? 0 : still_wanted($line) }
sub waiting { my ($line) = @_; return total(map { $_->{remaining} } values %{ $line->{waiting} }) }
sub allocated { my ($line) = @_; return open_quantity($line) - waiting($line) }

sub is_due { my ($line, $now) = @_; return !defined $line->{not_before} || $line->{not_before} <= $now }

# A line enters as demand once, at greatest(placed_at, not_before).
sub entry_time
{
	my ($line) = @_;
	my ($placed, $not_before) = @$line{qw(placed_at not_before)};
	return defined $not_before && $not_before > $placed ? $not_before : $placed;
}

# ---- who goes first

# (priority, rank_at) of a line whose turn counts from claim_at.
sub rank
{
	my ($m, $line, $claim_at) = @_;
	my ($highest, $head_start);
	for my $rule (values %{ $m->{rule} })
	{
		next if defined $rule->{valid_from} && $claim_at < $rule->{valid_from};
		next if defined $rule->{valid_to} && $claim_at >= $rule->{valid_to};
		next unless $rule->{test}->($line, $m->{item}{ $line->{item} });
		$highest = $rule->{priority} if !defined $highest || $rule->{priority} > $highest;
		$head_start += $rule->{head_start};
	}
	return (($highest // 0) + $line->{priority}, $claim_at - ($head_start // 0));
}

sub queue
{
	my ($m, $group) = @_;
	return sort {
		     $b->{priority} <=> $a->{priority}
		  || $a->{rank_at} <=> $b->{rank_at}
		  || $a->{id} <=> $b->{id}
	} values %{ $group->{waiting} };
}

# Lines with units that can be taken away, the worst ranked first.
sub victims
{
	my ($m, $group, $except) = @_;
	my @able;
	for my $line (values %{ $group->{line} })
	{
		next if $line->{on_hold} || ($except && $line == $except);
		next if $m->{passed_over}{ line_key(@$line{qw(order_id line_no)}) };
		my $units = allocated($line) - $line->{firm};
		next unless $units > 0;
		my ($priority, $rank_at) = $m->rank($line, $line->{entered_at});
		push @able, { line => $line, units => $units, priority => $priority, rank_at => $rank_at };
	}
	return sort {
		     $a->{priority} <=> $b->{priority}
		  || $b->{rank_at} <=> $a->{rank_at}
		  || $b->{line}{entered_at} <=> $a->{line}{entered_at}
		  || $b->{line}{order_id} cmp $a->{line}{order_id}
		  || $b->{line}{line_no} <=> $a->{line}{line_no}
	} @able;
}

# ---- backorders

sub open_backorder
{
	my ($m, $line, $quantity, $cause, $claim_at) = @_;
	my ($priority, $rank_at) = $m->rank($line, $claim_at);
	my $id = $m->{next_backorder};
	$m->put($m, 'next_backorder', $id + 1);
	my $backorder = { id => $id, line => $line, remaining => $quantity, cause => $cause,
		claim_at => $claim_at, priority => $priority, rank_at => $rank_at };
	$m->put($line->{waiting}, $id, $backorder);
	$m->put($m->group_of($line)->{waiting}, $id, $backorder);
	return;
}

# Fewer units wait: they came, or are not wanted any more.
sub reduce
{
	my ($m, $backorder, $quantity) = @_;
	$m->add($backorder, 'remaining', -$quantity);
	if ($backorder->{remaining} == 0)
	{
		$m->drop($backorder->{line}{waiting}, $backorder->{id});
		$m->drop($m->group_of($backorder->{line})->{waiting}, $backorder->{id});
	}
	return;
}

# Gives units to the first in the queue; what is left over becomes available.
# Returns [line, quantity] for each fill.
sub serve
{
	my ($m, $group, $quantity, $by_hand) = @_;
	my @fills;
	if ($m->{item}{ $group->{item} }{auto} || $by_hand)
	{
		for my $backorder ($m->queue($group))
		{
			last if $quantity == 0;
			my $units = least($quantity, $backorder->{remaining});
			push @fills, [ $backorder->{line}, $units ];
			$m->reduce($backorder, $units);
			$quantity -= $units;
		}
	}
	$m->add($group, 'available', $quantity);
	return @fills;
}

sub serve_all
{
	my ($m, $item) = @_;
	for my $key (sort keys %{ $m->{group} })
	{
		my $group = $m->{group}{$key};
		next unless $group->{item} eq $item && $group->{available} > 0;
		my $available = $group->{available};
		$m->put($group, 'available', 0);
		$m->serve($group, $available);
	}
	return;
}

# Takes units from what is available and then from the lines at the bottom of the
# ranking.  Returns [line, quantity] for each line that lost some.
sub take
{
	my ($m, $group, $quantity, $cause, $except) = @_;
	my $units = least($quantity, $group->{available});
	$m->add($group, 'available', -$units);
	$quantity -= $units;
	my @lost;
	for my $victim ($quantity > 0 ? $m->victims($group, $except) : ())
	{
		last if $quantity == 0;
		$units = least($quantity, $victim->{units});
		push @lost, [ $victim->{line}, $units ];
		$m->open_backorder($victim->{line}, $units, $cause, $victim->{line}{entered_at});
		$quantity -= $units;
	}
	refuse('23B02', 'stock does not suffice') if $quantity > 0;
	return @lost;
}

# ---- placement

# Requests are { line, quantity, cause, claim_at, entry }, in the order of the statement.
sub settle
{
	my ($m, @requests) = @_;
	my (%groups, $row);
	for my $request (grep { $_->{quantity} > 0 } @requests)
	{
		my $line = $request->{line};
		$request->{row} = $row++;
		@$request{qw(priority rank_at)} = $m->rank($line, $request->{claim_at});
		push @{ $groups{"$line->{item}\t$line->{location}"} }, $request;
	}
	for my $key (sort keys %groups)
	{
		my $group = $m->{group}{$key} // $m->group(split /\t/, $key);
		$m->settle_group(
			$group,
			sort {
				     $a->{claim_at} <=> $b->{claim_at}
				  || $b->{priority} <=> $a->{priority}
				  || $a->{rank_at} <=> $b->{rank_at}
				  || $a->{row} <=> $b->{row}
			} @{ $groups{$key} });
	}
	return;
}

sub settle_group
{
	my ($m, $group, @requests) = @_;
	my $item = $m->{item}{ $group->{item} };
	my $opened = 0;
	for my $request (@requests)
	{
		my ($line, $quantity) = @$request{qw(line quantity)};
		my $taken = 0;
		if ($item->{auto} || !%{ $group->{waiting} })
		{
			$taken = least($quantity, $group->{available});
			$m->add($group, 'available', -$taken);
		}
		my $short = $quantity - $taken;
		next if $short == 0;
		my $policy = $line->{on_short} // $item->{on_short};
		refuse('23B01', 'the line must not run short') if $policy eq 'refuse';
		$m->put($line, 'backordered_at_entry', $short) if $request->{entry};
		if ($policy eq 'cancel')
		{
			$m->add($line, 'cancelled', $short);
		}
		else
		{
			$m->open_backorder($line, $short, @$request{qw(cause claim_at)});
			$opened = 1;
		}
	}
	if ($opened && defined $item->{limit}
		&& total(map { $_->{remaining} } values %{ $group->{waiting} }) > $item->{limit})
	{
		refuse('23B01', 'backorder_limit');
	}
	return;
}

sub check_line
{
	my ($m, $line) = @_;
	refuse('23503', 'unknown item') unless $m->{item}{ $line->{item} };
	refuse('23503', 'unknown location') unless $m->{location}{ $line->{location} };
	refuse('23514', 'more cancelled, shipped and firm than ordered')
	  if $line->{cancelled} + $line->{shipped} + $line->{firm} > $line->{quantity};
	refuse('23514', 'more firm than allocated') if $line->{firm} > allocated($line);
	return;
}

# INSERT: the rows of one statement.
sub place
{
	my ($m, $now, @rows) = @_;
	my @requests;
	for my $row (@rows)
	{
		my $line = { location => 'main', priority => 0, firm => 0, cancelled => 0, shipped => 0,
			backordered_at_entry => 0, unit_price => undef, customer => undef, attributes => {},
			demand_class => 'regular', placed_at => $now, %$row, waiting => {} };
		my $key = line_key(@$line{qw(order_id line_no)});
		refuse('23505', 'the line exists') if $m->{line}{$key};
		$line->{on_hold} = !is_due($line, $now);
		$m->check_line({ %$line, firm => 0 });
		$m->put($m->{line}, $key, $line);
		$m->put($m->group_of($line)->{line}, $key, $line);
		next if $line->{on_hold};
		push @requests, $m->enter($line);
	}
	$m->settle(@requests);
	$m->check_line($_) for map { $_->{line} } @requests;
	return;
}

# A line becomes demand for the first time.  What was cancelled before never was demand.
sub enter
{
	my ($m, $line) = @_;
	$m->put($line, 'entered_at', entry_time($line));
	$m->put($line, 'entered_quantity', open_quantity($line)) if $line->{cancelled} > 0;
	return { line => $line, quantity => open_quantity($line), cause => 'entry',
		claim_at => $line->{entered_at}, entry => 1 };
}

# DELETE: only before entry.
sub remove
{
	my ($m, @lines) = @_;
	for my $line (map { $m->current($_) // () } @lines)
	{
		refuse('55000', 'the line has entered') if defined $line->{entered_at};
		my $key = line_key(@$line{qw(order_id line_no)});
		$m->drop($m->{line}, $key);
		$m->drop($m->group_of($line)->{line}, $key);
	}
	return;
}

# ---- edits

# UPDATE: pairs of [line, { column => new value }], the rows of one statement.
# First the waiting parts that are given up, then the allocations, which serve
# the queue, then what is to be placed.
sub change
{
	my ($m, $now, @changes) = @_;
	my (@released, @requests);
	@changes = grep { $_->[0] } map { [ $m->current($_->[0]), $_->[1] ] } @changes;
	for my $change (@changes)
	{
		my ($line, $new) = @$change;
		my ($open, $was_held, $group) = (open_quantity($line), $line->{on_hold}, $m->group_of($line));
		my $moved = defined $new->{location} && $new->{location} ne $line->{location};
		$m->check_edit($line, $new);
		my %stock = (give_up => 0);
		# A held line enters when its time has come, the first time only if anything of it is still wanted.
		my %then = (%$line, %$new);
		my $held = exists $new->{not_before} || $was_held ? !is_due(\%then, $now) : 0;
		$held = 1 if $was_held && !defined $line->{entered_at} && still_wanted(\%then) == 0;
		my $after = open_quantity({ %$line, %$new, on_hold => $held });
		if (!$was_held)
		{
			# On hold or at another place, all is given up here.
			$stock{give_up} = $held || $moved ? $open : $after < $open ? $open - $after : 0;
		}
		push @released, [ $group, $m->give_up($line, $stock{give_up}) ];
		if (defined $new->{quantity} && $new->{quantity} != $line->{quantity} && defined $line->{entered_at})
		{
			$m->put($line, 'entered_quantity', $line->{entered_quantity} // $line->{quantity});
		}
		my $key = line_key(@$line{qw(order_id line_no)});
		$m->drop($group->{line}, $key);
		my @ranking = grep { exists $new->{$_} && differs($new->{$_}, $line->{$_}) } qw(customer attributes unit_price required_by priority demand_class);
		$m->put($line, $_, $new->{$_}) for sort keys %$new;
		$m->put($line, 'on_hold', $held);
		$m->put($m->group_of($line)->{line}, $key, $line);
		$m->rerank_line($line) if @ranking;
		next if $held;
		if (!defined $line->{entered_at})
		{
			push @requests, $m->enter($line);
		}
		elsif ($was_held || $moved || $after > $open)
		{
			push @requests, { line => $line, claim_at => $now,
				quantity => $was_held || $moved ? $after : $after - $open,
				cause => $was_held ? 'release' : $moved ? 'move' : 'raise' };
		}
	}
	$m->serve(@$_) for grep { $_->[1] > 0 } @released;
	$m->settle(@requests);
	$m->check_line($_->[0]) for @changes;
	return;
}

# Values are texts, numbers, nothing, or flat hashes of texts.
sub differs
{
	my ($x, $y) = map { ref $_ ? join '|', %$_{ sort keys %$_ } : $_ // 'none' } @_;
	return $x ne $y;
}

sub check_edit
{
	my ($m, $line, $new) = @_;
	if (defined $line->{entered_at})
	{
		for my $column (qw(item placed_at))
		{
			refuse('55000', "$column is frozen")
			  if defined $new->{$column} && $new->{$column} ne $line->{$column};
		}
	}
	refuse('55000', 'cancelled never falls')
	  if defined $new->{cancelled} && $new->{cancelled} < $line->{cancelled};
	my %after = (%$line, %$new);
	refuse('23514', 'quantity not positive') if $after{quantity} <= 0;
	refuse('23514', 'more cancelled, shipped and firm than ordered')
	  if $after{cancelled} + $after{shipped} + $after{firm} > $after{quantity};
	refuse('23514', 'firm units stay where they are')
	  if $after{firm} > 0 && $after{location} ne $line->{location};
	return;
}

# The waiting part goes first, the latest episode first; the rest is allocation,
# and the caller serves the queue with it.
sub give_up
{
	my ($m, $line, $quantity) = @_;
	for my $id (sort { $b <=> $a } keys %{ $line->{waiting} })
	{
		my $units = least($quantity, $line->{waiting}{$id}{remaining});
		$m->reduce($line->{waiting}{$id}, $units) if $units > 0;
		$quantity -= $units;
	}
	return $quantity;
}

sub rerank_line
{
	my ($m, $line) = @_;
	for my $backorder (values %{ $line->{waiting} })
	{
		my ($priority, $rank_at) = $m->rank($line, $backorder->{claim_at});
		$m->put($backorder, 'priority', $priority);
		$m->put($backorder, 'rank_at', $rank_at);
	}
	return;
}

sub reprioritize
{
	my ($m, $item, $customer) = @_;
	for my $line (values %{ $m->{line} })
	{
		next if defined $item && $line->{item} ne $item;
		next if defined $customer && ($line->{customer} // '') ne $customer;
		$m->rerank_line($line);
	}
	return;
}

# ---- stock

# One row of stock_move.  Returns [line, quantity] for each line that got or lost some.
sub move
{
	my ($m, $kind, $item, $location, $quantity, $line) = @_;
	if ($line)
	{
		$line = $m->current($line) // refuse('23503', 'unknown line');
	}
	refuse('23514', 'not where the line is')
	  if $line && defined $location && $location ne $line->{location};
	($item, $location) = @$line{qw(item location)} if $line && !defined $item;
	refuse('23503', 'unknown item') unless $m->{item}{$item};
	refuse('23503', 'unknown location') unless $m->{location}{$location};
	refuse('23514', 'quantity not positive')
	  if $quantity == 0 || ($quantity < 0 && $kind ne 'adjustment');
	my $group = $m->group($item, $location);
	my $sign = $kind =~ /^(shipment|return_to_vendor|transfer_out)$/ ? -1 : 1;
	$m->add($group, 'on_hand', $sign * $quantity);
	return $m->ship($group, $line, $quantity) if $kind eq 'shipment';
	return $m->unship($group, $line, $quantity) if $kind eq 'shipment_reversal';
	return $m->serve($group, $quantity) if $sign * $quantity > 0;
	return $m->take($group, abs $quantity, 'loss');
}

# What the warehouse says it shipped, it shipped: missing units are found.
sub ship
{
	my ($m, $group, $line, $quantity) = @_;
	refuse('23514', 'more than is open') if $quantity > open_quantity($line);
	my $missing = $quantity - allocated($line);
	if ($missing > 0)
	{
		$m->take($group, $missing, 'reallocated', $line);
		for my $backorder ($m->queue($line))
		{
			my $units = least($missing, $backorder->{remaining});
			$m->reduce($backorder, $units) if $units > 0;
			$missing -= $units;
		}
	}
	$m->add($line, 'shipped', $quantity);
	# Picked units leave first.
	$m->put($line, 'firm', $line->{firm} > $quantity ? $line->{firm} - $quantity : 0);
	return;
}

sub unship
{
	my ($m, $group, $line, $quantity) = @_;
	refuse('23514', 'more than was shipped') if $quantity > $line->{shipped};
	$m->add($line, 'shipped', -$quantity);
	return $line->{on_hold} ? $m->serve($group, $quantity) : ();
}

# From one line to another, by hand.
sub reallocate
{
	my ($m, @rest) = @_;
	my ($from, $to) = map { $m->current($_) // refuse('23503', 'unknown line') } splice @rest, 0, 2;
	my ($quantity) = @rest;
	refuse('22023', 'another place') if $from->{item} ne $to->{item} || $from->{location} ne $to->{location};
	refuse('23B02', 'firm or not allocated') if $quantity > allocated($from) - $from->{firm};
	refuse('23514', 'more than waits') if $quantity > waiting($to);
	$m->open_backorder($from, $quantity, 'reallocated', $from->{entered_at});
	for my $backorder ($m->queue($to))
	{
		my $units = least($quantity, $backorder->{remaining});
		$m->reduce($backorder, $units) if $units > 0;
		$quantity -= $units;
	}
	return;
}

# The queue is served by hand, with up to so many available units.
sub allocate
{
	my ($m, $item, $location, $quantity) = @_;
	my $group = $m->group($item, $location);
	$quantity = least($quantity // $group->{available}, $group->{available});
	$m->add($group, 'available', -$quantity);
	return $m->serve($group, $quantity, 1);
}

# ---- what must be seen

my %decimal;    # of those seen before

sub decimal { my ($thousandths) = @_; return $decimal{$thousandths} //= decimal_text($thousandths) }

sub decimal_text
{
	my ($thousandths) = @_;
	return $thousandths / 1000 if $thousandths % 1000 == 0;
	my $text = sprintf '%s%d.%03d', $thousandths < 0 ? '-' : '', int(abs($thousandths) / 1000),
	  abs($thousandths) % 1000;
	$text =~ s/0+$//;
	return $text;
}

# The same rows as Workload::STATE_QUERY, in no order.
sub state_rows
{
	my ($m) = @_;
	my (@rows, %allocated);
	for my $line (values %{ $m->{line} })
	{
		my $waiting = %{ $line->{waiting} } ? waiting($line) : 0;
		my $allocated = open_quantity($line) - $waiting;
		$allocated{"$line->{item}\t$line->{location}"} += $allocated;
		push @rows, join '|', 'line', @$line{qw(order_id line_no item location)},
		  (map { $decimal{$_} // decimal($_) } $line->{quantity}, $line->{firm}, $allocated, $waiting,
			@$line{qw(shipped cancelled backordered_at_entry)}, $line->{entered_quantity} // $line->{quantity}),
		  $line->{on_hold} ? 't' : 'f', $line->{entered_at} // '';
	}
	for my $key (keys %{ $m->{group} })
	{
		my $group = $m->{group}{$key};
		my $allocated = $allocated{$key} // 0;
		my @queue = $m->queue($group);
		die "the model contradicts itself: $group->{item} at $group->{location}"
		  if $group->{on_hand} != $group->{available} + $allocated || $group->{available} < 0;
		if ($group->{on_hand} || @queue)
		{
			push @rows, join '|', 'stock', @$group{qw(item location)},
			  map { decimal($_) } @$group{qw(on_hand available)}, $allocated,
			  total(map { $_->{remaining} } @queue);
		}
		my $place = 0;
		for my $backorder (@queue)
		{
			push @rows, join '|', 'queue', @$group{qw(item location)}, ++$place,
			  @{ $backorder->{line} }{qw(order_id line_no)}, decimal($backorder->{remaining}),
			  @$backorder{qw(priority rank_at cause)};
		}
	}
	return @rows;
}

1;
