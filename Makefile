EXTENSION = backorder
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" backorder.control)

MODULE_big = backorder
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
# steps from one version to the next, and the scripts of earlier versions; released ones never change
DATA = $(wildcard sql/upgrade/*.sql)
DOCS = $(wildcard README.md doc/*.md)
PGFILEDESC = "backorder - backorders flagged, stock allocated by priority"

# each part of a ledger's DDL becomes the text that a script function returns
tables = $(addprefix sql/ledger/table/, ledger.sql item.sql location.sql order_line.sql stock_move.sql \
	inbound.sql priority_rule.sql delay_policy.sql stock_slot.sql backorder.sql journal.sql notice.sql)
views = $(addprefix sql/ledger/view/, rule.sql order_line.sql order.sql backorder.sql stock.sql inbound.sql \
	history.sql fact.sql kpi.sql clock.sql)
functions = $(addprefix sql/ledger/function/, order.sql stock.sql inbound.sql queue.sql promise.sql \
	journal.sql clock.sql tracking.sql figures.sql)
comments = $(sort $(wildcard sql/ledger/comment/*.sql))
script = sql/script/$(1).open $(2) sql/script/close
SQL = sql/backorder.sql sql/aggregate.sql \
	$(call script,tables,$(tables)) $(call script,views,$(views)) \
	$(call script,functions,$(functions)) $(call script,comments,$(comments)) \
	$(call script,check,sql/ledger/check/check.sql) $(call script,rebuild,sql/ledger/check/rebuild.sql) \
	sql/health.sql

EXTRA_CLEAN = $(DATA_built)
# tests are run on a private server by ./run test

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(DATA_built): $(SQL) backorder.control
	cat $(SQL) > $@

$(OBJS): src/backorder.h src/compat.h
