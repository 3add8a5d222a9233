import { STATUS_CODES } from 'node:http';

/** The stable `code` of each status that has a class of its own, and of its neighbours. */
const CODES: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'request_timeout',
  409: 'conflict',
  410: 'gone',
  411: 'length_required',
  412: 'precondition_failed',
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  416: 'range_not_satisfiable',
  417: 'expectation_failed',
  421: 'misdirected_request',
  422: 'unprocessable_content',
  423: 'locked',
  425: 'too_early',
  426: 'upgrade_required',
  428: 'precondition_required',
  429: 'too_many_requests',
  431: 'request_header_fields_too_large',
  451: 'unavailable_for_legal_reasons',
  499: 'client_closed_request',
  500: 'internal_server_error',
  501: 'not_implemented',
  502: 'bad_gateway',
  503: 'service_unavailable',
  504: 'gateway_timeout',
};

/** Such as `not_found` for 404; `http_418` for a status without a name here. */
export function codeOfStatus(status: number): string {
  return CODES[status] ?? `http_${status}`;
}

/** The reason phrase of RFC 9110 section 15, such as `Not Found`. */
export function titleOfStatus(status: number): string {
  if (status === 413) return 'Content Too Large';
  if (status === 422) return 'Unprocessable Content';
  if (status === 499) return 'Client Closed Request';
  return STATUS_CODES[status] ?? (status < 500 ? 'Client Error' : 'Server Error');
}
