export { describeRoute } from './describe-route.js';
export { openapi } from './openapi.js';
export { openapiRoute } from './openapi-route.js';
export { validate } from './validate.js';

export type { RouteDescription, DescribedResponse } from './describe-route.js';
export type { Detail } from './details.js';
export type { JsonSchema, ToJsonSchema } from './json-schema.js';
export type { OpenApiOptions } from './openapi-options.js';
export type {
  OpenApiComponents,
  OpenApiContent,
  OpenApiDocument,
  OpenApiInfo,
  OpenApiOperation,
  OpenApiParameter,
  OpenApiResponse,
  OpenApiSecurity,
  OpenApiServer,
  OpenApiTag,
} from './openapi-types.js';
export type { ValidateOptions } from './options.js';
export type { Part, Schemas, Valid, ValidHandler, ValidRequest, ValidationMiddleware } from './valid.js';
