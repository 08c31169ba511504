{#-
  An aggregate of the plan as a Delta table of the lake. What was there from the earliest window that new raw rows touch
  on is replaced in one commit, together with the last raw batch it now contains. Started over from raw with
  --full-refresh, when the definition changed, or when rows were taken out of raw. The variable `tusk_windows` asks for
  the windows of a span instead, whatever has changed.

  The plugin `lake` (tusk_platform/adapters/dbt_plugin.py) reads and writes the tables; `refresh` is how it answers.
-#}
{% materialization lake, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set refresh = {'full': should_full_refresh(), 'windows': var('tusk_windows', none), 'sql': sql} -%}

    {{ run_hooks(pre_hooks) }}

    {#- Opens the connection whose cursor the plugin works with, without a transaction: begun now, one would not see
        the views that the plugin may have to renew. -#}
    {% call statement('open', auto_begin=False) -%} reset variable since {%- endcall %}
    {#- The first call says from where on the rows must be computed, the second commits them. -#}
    {% do adapter.store_relation('lake', target_relation, [], '', '', refresh) %}
    {% if refresh.wanted %}
        {% call statement('main') -%}
            create or replace temp table refreshed_rows as (
                {{ sql }}
            )
        {%- endcall %}
    {% endif %}
    {% do adapter.store_relation('lake', target_relation, [], '', '', refresh) %}
    {% do store_raw_result('main', message=refresh.message, code='REFRESH', rows_affected=refresh.rows) %}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
