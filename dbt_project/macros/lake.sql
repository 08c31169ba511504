{#-
  An aggregate of the plan as a Delta table of the lake. What was there from the earliest window that new raw rows touch
  on is replaced in one commit, together with the last raw batch it now contains. Started over from raw with
  --full-refresh, when the definition changed, or when rows were taken out of raw.

  The plugin `lake` (tusk_platform/adapters/dbt_plugin.py) reads and writes the tables; `refresh` is how it answers.
-#}
{% materialization lake, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set refresh = {'full': should_full_refresh(), 'sql': sql} -%}

    {{ run_hooks(pre_hooks) }}

    {#- The first statement opens the connection, whose cursor the plugin works with from here on. -#}
    {% call statement('open') -%} reset variable since {%- endcall %}
    {% do adapter.store_relation('lake', target_relation, [], '', 'begin', refresh) %}

    {% if refresh.wanted %}
        {% call statement('main') -%}
            create or replace temp table refreshed_rows as (
                {{ sql }}
            )
        {%- endcall %}
    {% endif %}
    {% do adapter.store_relation('lake', target_relation, [], '', 'commit', refresh) %}
    {% do store_raw_result('main', message=refresh.message, code='REFRESH', rows_affected=refresh.rows) %}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
