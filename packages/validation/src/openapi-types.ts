import type { JsonSchema } from './json-schema.js';

/** An OpenAPI 3.1 document, as far as it is made here. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: OpenApiInfo;
  readonly servers?: readonly OpenApiServer[];
  readonly tags?: readonly OpenApiTag[];
  readonly security?: readonly OpenApiSecurity[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components?: OpenApiComponents;
}

/** Title and version of the API. */
export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly summary?: string | undefined;
  readonly description?: string | undefined;
  readonly termsOfService?: string | undefined;
  readonly contact?: Readonly<Record<string, string>> | undefined;
  readonly license?: Readonly<Record<string, string>> | undefined;
}

/** Where the API is served. */
export interface OpenApiServer {
  readonly url: string;
  readonly description?: string | undefined;
}

/** What operations are grouped by. */
export interface OpenApiTag {
  readonly name: string;
  readonly description?: string | undefined;
}

/** Names of security schemes with the scopes that are needed. */
export type OpenApiSecurity = Readonly<Record<string, readonly string[]>>;

/** Such as `schemas` and `securitySchemes`. */
export type OpenApiComponents = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A route: what it takes and what it answers. */
export interface OpenApiOperation {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly deprecated?: boolean;
  readonly security?: readonly OpenApiSecurity[];
  readonly parameters?: readonly OpenApiParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: OpenApiContent };
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
}

/** A parameter of the path, the query or the header section. */
export interface OpenApiParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly style?: 'form';
  readonly explode?: boolean;
  readonly schema: JsonSchema;
}

/** What comes with one status. */
export interface OpenApiResponse {
  readonly description: string;
  readonly content?: OpenApiContent;
}

/** Schemas by media type. */
export type OpenApiContent = Readonly<Record<string, { readonly schema?: JsonSchema }>>;
