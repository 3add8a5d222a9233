/** What SQL's own words are to an injection. */
export const CONNECT = 1;
export const COMPARE = 2;
export const STATEMENT = 3;
export const CLAUSE = 4;
export const LITERAL = 5;
export const CALL = 6;
export const SCHEMA = 7;
export const MODIFIER = 8;
export const SOFT_CALL = 9;

const MEANING = new Map<string, number>();
/** How long the words with these first two letters are, a bit for each length: few others are as long. */
const LENGTHS = new Int32Array(1_024);
for (const [meaning, words] of [
  [CONNECT, 'or and xor div'],
  [COMPARE, 'like rlike regexp in between is sounds ilike glob not'],
  [
    STATEMENT,
    `select insert update delete drop alter create truncate exec execute declare shutdown merge grant replace call
    waitfor rename backup begin load handler set use if while print copy do commit rollback revoke bulk restore kill`,
  ],
  [CLAUSE, 'having group order limit procedure into where from union offset as collate returning rows fetch'],
  [LITERAL, 'null true false'],
  [
    CALL,
    `sleep benchmark pg_sleep extractvalue updatexml load_file group_concat utl_inaddr utl_http dbms_pipe dbms_lock
    dbms_ldap xp_cmdshell xp_dirtree xp_regread sp_executesql sp_password openrowset randomblob xmltype sys_eval
    pg_read_file make_set analyse drithsx receive_message get_host_address wait_for_delay sys_exec xp_fileexist
    xp_servicecontrol xp_availablemedia xp_loginconfig xp_ntsec_enumdomains xp_terminate_process xp_enumerrorlogs
    xp_makecab sp_makewebtask sp_addextendedproc sp_oacreate xp_regaddmultistring xp_regdeletekey xp_regenumvalues
    xp_enumdsn xp_webserver lo_import lo_export dblink_connect current_setting query_to_xml dbms_xmlquery
    dbms_export_extension utl_file httpuritype`,
  ],
  [
    SOFT_CALL,
    `char chr ascii substr substring concat convert cast count hex unhex exists ord mid length len version user
    system_user current_user database schema floor rand row elt polygon exp greatest least concat_ws if ifnull nullif
    case coalesce upper lower md5 sha1 encode decode lpad rpad left right reverse strcmp find_in_set bin oct conv
    linestring geometrycollection multipoint json_keys pi sqrt cot max min sum avg current_database session_user
    user_name db_name host_name is_srvrolemember is_member object_id col_name to_char to_number char_length
    bit_length row_count last_insert_id unicode stuff replicate quotename isnull locate position instr space trim
    generate_series string_agg array_agg xmlelement field insert aes_encrypt aes_decrypt des_encrypt compress log
    log10 ln sign round truncate cos sin tan acos asin atan degrees radians ceil ceiling abs mod power pow now
    sysdate curdate curtime date time year month day crc32 uuid password old_password des_decrypt soundex repeat
    quote export_set nchar patindex charindex datalength sqlite_version typeof quote total_changes changes hextoraw
    rawtohex asciistr uid serverproperty suser_name current_schema get_lock release_lock is_free_lock ltrim rtrim`,
  ],
  [
    SCHEMA,
    `information_schema sysobjects syscolumns sysusers sqlite_master msysobjects pg_catalog pg_user pg_shadow pg_class
    all_tables user_tables all_tab_columns user_tab_columns master sysdatabases sqlite_schema pg_database syslogins
    v$version all_users dba_users sysibm syscat rdb$database innodb_table_stats sysxlogins pg_tables table_schema`,
  ],
  [MODIFIER, 'all distinct distinctrow binary top by'],
] as const) {
  for (const word of words.split(/\s+/)) {
    if (!MEANING.has(word)) MEANING.set(word, meaning);
    const pair = pairOf(word.charCodeAt(0), word.charCodeAt(1));
    LENGTHS[pair] = (LENGTHS[pair] ?? 0) | (1 << word.length);
  }
}

/** Where two letters are in that table. */
function pairOf(first: number, second: number): number {
  return ((first & 31) << 5) | (second & 31);
}

/** What the word of `text` from `start` to `end` means, 0 for nothing. */
export function meaningOf(text: string, start: number, end: number): number {
  const length = end - start;
  if (length < 2 || length > 31) return 0;
  const pair = pairOf(text.charCodeAt(start), text.charCodeAt(start + 1));
  if ((((LENGTHS[pair] as number) >>> length) & 1) === 0) return 0;
  return MEANING.get(text.slice(start, end)) ?? 0;
}

/** What has to follow a statement's word for it to be one: `drop table`, `insert into`. */
export const OBJECTS: Readonly<Record<string, string>> = {
  drop: ' table database column view user index schema procedure function trigger login role constraint ',
  create: ' table database user view procedure function trigger login or temp temporary index role ',
  alter: ' table database user login role session column schema procedure ',
  truncate: ' table ',
  insert: ' into ignore ',
  delete: ' from ',
  waitfor: ' delay time ',
  grant: ' all select execute dba create connect ',
  rename: ' table ',
  backup: ' database log ',
  load: ' data file ',
  replace: ' into ',
  begin: ' declare dbms_lock dbms_pipe user_lock tran transaction end ',
  bulk: ' insert ',
  restore: ' database ',
  commit: '  ',
  revoke: ' all select ',
};
