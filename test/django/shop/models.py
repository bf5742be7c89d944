"""The ledger's tables and views as Django models.  The ledger is made by backorder.create_ledger, not by migrations."""
from django.db import models


class Answer:
    """Mixed into a field: the database answers it when a row is inserted (RETURNING), in the same round trip."""
    db_returning = True


class AnswerText(Answer, models.TextField):
    pass


class AnswerDecimal(Answer, models.DecimalField):
    pass


class AnswerDateTime(Answer, models.DateTimeField):
    pass


class Item(models.Model):
    item = models.TextField(primary_key=True)
    description = models.TextField(null=True, blank=True)
    lead_time = models.DurationField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = 'item'


class StockMove(models.Model):
    move_id = models.BigAutoField(primary_key=True)
    kind = models.TextField(default='receipt')
    item = models.TextField()
    location = models.TextField(default='main')
    quantity = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        managed = False
        db_table = 'stock_move'


class OrderLine(models.Model):
    """
    A line of an order, on the writable view order_line_status.

    Its key is (order_id, line_no).  This Django knows keys of one column only,
    so order_id is called the primary key, and the methods below add line_no
    wherever Django would look for a row by its key.
    """
    order_id = models.TextField(primary_key=True)
    line_no = models.BigIntegerField()
    item = models.TextField()
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    customer = models.TextField(null=True, blank=True)
    # Left out (None), they take the table's defaults, and the object learns them.
    location = AnswerText(null=True, blank=True)
    placed_at = AnswerDateTime(null=True, blank=True)
    # What the ledger says: read it, whatever is saved here is ignored.
    allocated = AnswerDecimal(max_digits=20, decimal_places=6, null=True, editable=False)
    backordered = AnswerDecimal(max_digits=20, decimal_places=6, null=True, editable=False)
    expected_at = AnswerDateTime(null=True, editable=False)

    class Meta:
        managed = False
        db_table = 'order_line_status'
        default_manager_name = base_manager_name = 'objects'

    def _do_update(self, base_qs, using, pk_val, values, update_fields, forced_update):
        # A new line is inserted at once; another line of the order is not its older self.
        if self._state.adding:
            return False
        return super()._do_update(base_qs.filter(line_no=self.line_no), using, pk_val, values, update_fields, forced_update)

    def refresh_from_db(self, using=None, fields=None):
        fresh = type(self).objects.using(using or self._state.db).get(order_id=self.order_id, line_no=self.line_no)
        for field in self._meta.concrete_fields:
            if fields is None or field.attname in fields:
                setattr(self, field.attname, getattr(fresh, field.attname))

    def delete(self, *args, **kwargs):
        raise NotImplementedError('what was ordered stays on record: cancel the line instead')

    def __eq__(self, other):
        return isinstance(other, OrderLine) and (self.order_id, self.line_no) == (other.order_id, other.line_no)

    def __hash__(self):
        return hash((self.order_id, self.line_no))
