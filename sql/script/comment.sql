COMMENT ON FUNCTION backorder.script_tables() IS 'The tables of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_views() IS 'The views of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_functions() IS 'The functions of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_comments() IS 'The comments on the tables of a ledger, as DDL.';
COMMENT ON FUNCTION backorder.script_check() IS 'The query behind check_ledger().';
COMMENT ON FUNCTION backorder.script_rebuild() IS 'The statements behind rebuild_ledger().';
