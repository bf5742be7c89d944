/*
 * column.c
 *	  Columns of values that grow in C and go to SQL as one array each, so that
 *	  a statement over many rows is one call of SPI.
 */
#include "backorder.h"

#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

void
ColumnInit(Column *column, Oid type)
{
	column->type = type;
	column->values = NULL;
	column->nulls = NULL;
	column->count = 0;
	column->capacity = 0;
}

void
ColumnAddOrNull(Column *column, Datum value, bool isnull)
{
	if (column->count == column->capacity)
	{
		int			capacity = column->capacity == 0 ? 8 : column->capacity * 2;

		if (column->values == NULL)
		{
			column->values = palloc(capacity * sizeof(Datum));
			column->nulls = palloc(capacity * sizeof(bool));
		}
		else
		{
			column->values = repalloc_huge(column->values, capacity * sizeof(Datum));
			column->nulls = repalloc_huge(column->nulls, capacity * sizeof(bool));
		}
		column->capacity = capacity;
	}
	column->values[column->count] = value;
	column->nulls[column->count] = isnull;
	column->count++;
}

void
ColumnAdd(Column *column, Datum value)
{
	ColumnAddOrNull(column, value, false);
}

/* The column as a one-dimensional array. */
Datum
ColumnArray(const Column *column)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;
	int			lower = 1;
	int			count = column->count;

	if (count == 0)
		return PointerGetDatum(construct_empty_array(column->type));
	get_typlenbyvalalign(column->type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &count, &lower,
											  column->type, typlen, typbyval, typalign));
}

/* Empties the column and keeps its memory. */
void
ColumnReset(Column *column)
{
	column->count = 0;
}
