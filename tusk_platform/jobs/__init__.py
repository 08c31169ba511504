"""The product's verbs: functions of plan, ports and clock that return a frozen report. No Dagster here."""
